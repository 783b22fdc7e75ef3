"""The application on a real socket, in this process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from fastapi import FastAPI
from uvicorn import Config, Server


@asynccontextmanager
async def served(app: FastAPI, *, root_path: str = "") -> AsyncIterator[int]:
    """Serve the application; the value is the port."""
    server = Server(Config(app, port=0, log_config=None, root_path=root_path, timeout_graceful_shutdown=1))
    async with anyio.create_task_group() as group:
        group.start_soon(server.serve)
        while not server.started:
            await anyio.sleep(0.01)
        yield server.servers[0].sockets[0].getsockname()[1]
        server.should_exit = True
