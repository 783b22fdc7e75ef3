"""Requests to an application without a server, and the processor time that they take."""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from itertools import cycle
from time import process_time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from benchmarks.load import CONNECTIONS


async def spent_by_tasks(ask: Callable[[], Awaitable[object]], times: int) -> float:
    """µs of this process's time, all threads together, for each time of so many, by as many tasks as a load has."""

    async def keep_asking() -> None:
        for _ in range(share):
            await ask()
            await asyncio.sleep(0)

    share = times // CONNECTIONS
    begun = process_time()
    await asyncio.gather(*(keep_asking() for _ in range(CONNECTIONS)))
    return (process_time() - begun) * 1e6 / (share * CONNECTIONS)


def spent_on_calls(work: Callable[[], object], times: int) -> float:
    """The same for each of so many calls, one after the other."""
    begun = process_time()
    for _ in range(times):
        work()
    return (process_time() - begun) * 1e6 / times


async def answer_nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that costs what asking costs."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def requests(app: ASGIApp, paths: list[str]) -> Callable[[], Awaitable[None]]:
    """What sends the next of these requests each time, and waits for the answer.

    It raises a RuntimeError if that is not 200.
    """
    scopes = cycle([_scope(path) for path in paths])

    async def ask() -> None:
        scope = next(scopes)
        messages: list[Message] = []

        async def send(message: Message) -> None:
            messages.append(message)

        await app({**scope, "state": {}}, _receive, send)
        if messages[0]["status"] != HTTPStatus.OK:
            raise RuntimeError(f"{scope['path']}: {messages}")

    return ask


async def _receive() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


def _scope(path: str) -> dict[str, Any]:
    """As uvicorn makes it."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 50_000),
        "scheme": "http",
        "method": "GET",
        "root_path": "",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
    }
