"""Limits on concurrent requests and on request bodies."""

from asyncio import Event, Task, create_task, run, sleep
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from httpx2 import ASGITransport, AsyncClient, Response
from starlette.responses import PlainTextResponse
from starlette.types import Message

from domain.items import Item
from entrypoints.api.app import create_app
from entrypoints.api.middleware import request_limits
from entrypoints.container import Container, build_container
from entrypoints.settings import Settings
from tests.api.problems import expect_problem

METHODS = ("GET", "POST", "GET")
JSON = {"Content-Type": "application/json"}
TOWEL = b'{"title": "Towel"}'


@asynccontextmanager
async def serving(**settings: object) -> AsyncIterator[tuple[AsyncClient, Container]]:
    """A client of an API in memory with these settings."""
    container = build_container(Settings.model_validate({"DATABASE_URL": "memory://", **settings}))
    app = create_app(container)
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app), base_url="http://belongings", timeout=30) as client,
    ):
        yield client, container


def slowly(client: AsyncClient, go_on: Event, *pieces: bytes) -> Task[Response]:
    """Send the first piece at once, and the others when ``go_on`` is set."""

    async def body() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece
            await go_on.wait()

    return create_task(client.post("/items/", content=body(), headers=JSON))


async def settle() -> None:
    """Let all other tasks run until they wait."""
    for _ in range(50):
        await sleep(0)


def test_a_request_over_the_limit_is_a_503_and_health_is_exempt() -> None:
    async def main() -> None:
        async with serving(requests=1) as (client, container):
            with container.unit_of_work() as uow:
                uow.items.add(Item(title="Sieve"))  # this locks out all other writers
                first = create_task(client.post("/items/", content=TOWEL, headers=JSON))
                await settle()
                for refused in (await client.get("/items/"), await client.post("/items/", json={"title": "Towel"})):
                    assert expect_problem(refused, 503)["detail"] == "Too many requests at once"
                    assert refused.headers["Retry-After"] == "1"
                for path in ("/health/live", "/health/ready"):
                    assert (await client.get(path)).status_code == 200
            assert (await first).status_code == 200
            assert len((await client.get("/items/")).json()) == 1

    run(main())


def test_a_request_that_waits_for_its_body_does_not_count() -> None:
    async def main() -> None:
        async with serving(requests=1) as (client, container):
            go_on = Event()
            slow = [slowly(client, go_on, TOWEL[:5], TOWEL[5:]) for _ in range(3)]
            await settle()
            assert (await client.get("/items/")).status_code == 200
            with container.unit_of_work() as uow:
                uow.items.add(Item(title="Sieve"))
                go_on.set()
                await settle()
            responses = [await each for each in slow]
            assert sorted(each.status_code for each in responses) == [200, 503, 503]
            assert (await client.get("/items/")).status_code == 200

    run(main())


def test_a_request_whose_client_does_not_read_the_response_does_not_count() -> None:
    async def main() -> list[int]:
        statuses: list[int] = []

        async def send_never(message: Message) -> None:
            await Event().wait()

        async def send(message: Message) -> None:
            statuses.append(message.get("status", 0))

        app = request_limits.RequestLimitsMiddleware(PlainTextResponse("content"), requests=1, body_wait=1)
        scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
        waiting = [create_task(app({**scope, "method": method}, receive_nothing, send_never)) for method in METHODS]
        await settle()
        await app(scope, receive_nothing, send)
        for task in waiting:
            task.cancel()
        return statuses

    assert run(main()) == [200, 0]


async def receive_nothing() -> Message:
    raise AssertionError


def test_bodies_that_are_too_large_together_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_limits, "ALL_BODIES_MAX", 1_000)

    async def main() -> None:
        async with serving() as (client, _):
            go_on = Event()
            first = slowly(client, go_on, b" " * 900, TOWEL)
            await settle()
            refused = await client.post("/items/", content=b" " * 101 + TOWEL, headers=JSON)
            assert expect_problem(refused, 503)["detail"] == "Too many requests at once"
            go_on.set()
            assert (await first).status_code == 200
            again = await client.post("/items/", content=b" " * 900 + TOWEL, headers=JSON)
            assert again.status_code == 200

    run(main())


def test_a_body_that_does_not_arrive_in_time_is_a_408() -> None:
    async def main() -> None:
        async with serving(body_wait=0.05) as (client, _):
            never = Event()
            response = await slowly(client, never, TOWEL[:5], TOWEL[5:])
            assert expect_problem(response, 408)["detail"] == "The request did not arrive in time"
            assert response.headers["Connection"] == "close"
            assert (await client.get("/items/")).json() == []

    run(main())
