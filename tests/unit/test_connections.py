"""How connections are taken."""

import asyncio
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from entrypoints.connections import Bounds, Connection


@pytest.mark.parametrize(("workers", "pauses"), [(1, 0), (2, 3)])
def test_a_worker_among_others_leaves_them_time_to_take_the_next(
    monkeypatch: pytest.MonkeyPatch, workers: int, pauses: int
) -> None:
    paused: list[float] = []
    monkeypatch.setattr("entrypoints.connections.sleep", paused.append)
    bounds = Bounds(head_wait=1, body_wait=1, connections=10, workers=workers)
    config = Config(app=_nothing, log_config=None)
    config.load()

    async def connect() -> None:
        state = ServerState()
        server = await asyncio.get_running_loop().create_server(
            lambda: Connection(config=config, server_state=state, app_state={}, bounds=bounds), "127.0.0.1", 0
        )
        async with server:
            for _ in range(3):
                _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
                while not state.connections:
                    await asyncio.sleep(0)
                writer.close()
                await writer.wait_closed()
                while state.connections:
                    await asyncio.sleep(0)

    asyncio.run(connect())
    assert len(paused) == pauses


async def _nothing(_scope: Any, _receive: Any, _send: Any) -> None: ...
