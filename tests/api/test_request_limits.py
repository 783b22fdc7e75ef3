"""Limits on concurrent requests and on request bodies."""

from asyncio import Event, Queue, Task, create_task, run, sleep
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from httpx2 import ASGITransport, AsyncClient, Response
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domain.items import Item
from entrypoints.api.app import create_app
from entrypoints.api.http import byte_budget
from entrypoints.api.http.byte_budget import DISCONNECT
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


class Client:
    """Sends a body to an application that reads it, and then reads the response when the client lets it go on."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._pieces = Queue[Message]()
        self.go_on = Event()
        self.status = 0
        self.disconnected = False

    def begin(self, size: int, *, more: bool) -> None:
        """Send the first bytes of the body, or all of it."""
        self._pieces.put_nowait({"type": "http.request", "body": b" " * size, "more_body": more})
        scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
        self.task = create_task(self._run({**scope, "extensions": {DISCONNECT: self.disconnect}}))

    async def _run(self, scope: Scope) -> None:
        async def send(message: Message) -> None:
            await self.go_on.wait()
            self.status = message.get("status", self.status)

        try:
            await self._app(scope, self._pieces.get, send)
        except HTTPException as error:
            self.status = error.status_code

    def disconnect(self) -> None:
        self.disconnected = True
        self._pieces.put_nowait({"type": "http.disconnect"})
        self.go_on.set()


class Bodies:
    """Clients of an application that takes 100,000 bytes of bodies, 20,000 of them for small bodies only."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, slow_after: float = 0.0) -> None:
        monkeypatch.setattr(byte_budget, "SLOW_AFTER", slow_after)
        monkeypatch.setattr(request_limits, "ALL_BODIES_MAX", 100_000)
        monkeypatch.setattr(request_limits, "SMALL_BODIES_RESERVE", 20_000)
        self._app = request_limits.RequestLimitsMiddleware(read_and_answer, requests=10, body_wait=30)

    async def begin(self, size: int, *, more: bool = True) -> Client:
        """A client that has sent so many bytes; ``more`` are to follow, but never do."""
        client = Client(self._app)
        client.begin(size, more=more)
        await settle()
        return client


async def read_and_answer(scope: Scope, receive: Receive, send: Send) -> None:
    while (message := await receive()).get("more_body"):
        pass
    if message["type"] == "http.request":
        await PlainTextResponse("content")(scope, receive, send)


def test_the_body_that_has_been_arriving_for_longest_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        bodies = Bodies(monkeypatch)
        slow = [await bodies.begin(40_000) for _ in range(2)]
        for _ in range(2):
            honest = await bodies.begin(20_000, more=False)
            honest.go_on.set()
            await honest.task
            assert honest.status == 200
        assert [each.disconnected for each in slow] == [True, False]
        await slow[0].task
        third = await bodies.begin(40_000)
        assert [each.disconnected for each in (*slow, third)] == [True, False, False]
        third.task.cancel()
        slow[1].task.cancel()

    run(main())


def test_a_body_gives_way_only_after_some_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        bodies = Bodies(monkeypatch, slow_after=60)
        first = await bodies.begin(80_000)
        refused = await bodies.begin(20_000, more=False)
        assert (first.disconnected, refused.status) == (False, 503)
        first.task.cancel()

    run(main())


def test_small_bodies_have_room_beside_large_ones_that_are_being_worked_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        bodies = Bodies(monkeypatch, slow_after=60)
        first = await bodies.begin(80_000, more=False)
        large = await bodies.begin(request_limits.SMALL_BODY_MAX + 1, more=False)
        small = await bodies.begin(request_limits.SMALL_BODY_MAX, more=False)
        small.go_on.set()
        await small.task
        assert (large.status, small.status, first.disconnected) == (503, 200, False)
        first.task.cancel()

    run(main())


def test_a_body_gives_way_whose_client_does_not_read_the_response(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        bodies = Bodies(monkeypatch)
        silent = await bodies.begin(80_000, more=False)
        assert not (await bodies.begin(80_000)).status
        assert silent.disconnected

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
