"""Large responses: pages end early, and what clients do not read is bounded."""

import asyncio
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from starlette.responses import Response
from starlette.types import Message

from domain.items import Item
from domain.users import User
from entrypoints.api.app import create_app
from entrypoints.api.http import byte_budget
from entrypoints.api.http.byte_budget import DISCONNECT, ByteBudget
from entrypoints.api.http.unsent import ALL_UNSENT_MAX, PIECE, SMALL_UNSENT_MAX, SMALL_UNSENT_RESERVE
from entrypoints.api.middleware.head import HeadMiddleware
from entrypoints.api.middleware.response_limits import ResponseLimitsMiddleware
from entrypoints.container import Container, build_container
from entrypoints.settings import Settings

MOST = 1024 * 1024
LONG = "\x01" * 10_000
"""60 KB of JSON."""


@pytest.fixture
def roomy() -> Container:
    """Three users with 40 large items each, whose pages have up to 1 MiB."""
    container = build_container(Settings(database_url="memory://", page_bytes=MOST))  # type: ignore[arg-type]  # pydantic makes it a secret
    with container.unit_of_work() as uow:
        for n in range(3):
            user = User(email=f"user{n}@example.com", hashed_password="x")
            uow.users.add(user)
            for _ in range(40):
                uow.items.add(Item(title="Towel", description=LONG, owner_id=user.id))
        uow.commit()
    return container


@pytest.fixture
def large(roomy: Container) -> Iterator[TestClient]:
    with TestClient(create_app(roomy)) as client:
        yield client


@pytest.mark.parametrize("path", ["/items/", "/items/?sort=-price", "/items/?q=towel", "/users/2/items/"])
def test_a_large_page_ends_early_and_the_next_one_goes_on(large: TestClient, path: str) -> None:
    seen: list[int] = []
    following: str | None = path
    while following:
        response = large.get(following)
        assert len(response.content) <= MOST
        seen += [item["id"] for item in response.json()]
        following = response.links.get("next", {}).get("url")
    assert len(set(seen)) == len(seen) == (40 if "users" in path else 120)


def test_a_page_has_a_user_at_least_however_large_it_gets(large: TestClient) -> None:
    seen, following = [], "/users/"
    while following:
        response = large.get(following)
        (user,) = response.json()
        assert (len(response.content) > MOST, len(user["items"])) == (True, 40)
        seen.append(user["id"])
        following = response.links.get("next", {}).get("url", "")
    assert seen == [1, 2, 3]


def test_a_page_that_ends_early_counts_all_rows(large: TestClient) -> None:
    assert large.get("/items/", headers={"Prefer": "count=exact"}).headers["X-Total-Count"] == "120"


@pytest.mark.parametrize("path", ["/items/", "/users/", "/users/1", "/users/1/items/"])
def test_a_large_response_is_refused_while_too_many_are_being_sent(roomy: Container, path: str) -> None:
    app = create_app(roomy)
    app.state.unsent.limit = 100_000
    with TestClient(app) as client:
        refused = client.get(path)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert refused.json()["detail"] == "Too many large responses wait for their clients"
        assert refused.headers["X-Request-ID"]
        assert client.get("/items/?limit=1").status_code == 200
        assert app.state.unsent.size == 0


def test_a_response_that_the_system_can_buffer_has_room_beside_larger_ones(roomy: Container) -> None:
    app = create_app(roomy)
    unsent = app.state.unsent
    unsent.add(unsent.hold({}), unsent.limit - SMALL_UNSENT_RESERVE)
    with TestClient(app) as client:
        assert client.get("/items/?limit=10").status_code == 503
        small = client.get("/items/?limit=4")
        assert (small.status_code, PIECE < len(small.content) <= SMALL_UNSENT_MAX) == (200, True)


def test_a_user_is_not_changed_if_there_is_no_room_for_the_response(roomy: Container) -> None:
    app = create_app(roomy)
    app.state.unsent.limit = app.state.unsent.size = 100_000
    with TestClient(app) as client:
        refused = client.patch("/users/1", json={"is_active": False})
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        app.state.unsent.size = 99_999
        changed = client.patch("/users/1", json={"email": "b@example.com"})
        assert (changed.status_code, changed.json()["is_active"], len(changed.content) > MOST) == (200, True, True)
        assert app.state.unsent.size == 99_999


async def sent(method: str, limit: int, unsent: ByteBudget) -> list[Message]:
    """What a client gets that reads so many messages and then nothing more."""
    messages: list[Message] = []

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        if len(messages) == limit:
            assert unsent.size == len(LARGE)
            await asyncio.Event().wait()
        messages.append(message)

    app = ResponseLimitsMiddleware(HeadMiddleware(Response(LARGE)), unsent)
    task = asyncio.create_task(app({"type": "http", "method": method, "headers": []}, receive, send))
    await asyncio.wait([task], timeout=0.05)
    task.cancel()
    await asyncio.wait([task])
    assert unsent.size == 0
    return messages


LARGE = bytes(range(256)) * 1000


def test_a_large_response_is_sent_in_pieces_and_whole() -> None:
    start, *pieces = asyncio.run(sent("GET", 1000, ByteBudget(ALL_UNSENT_MAX)))
    assert dict(start["headers"])[b"content-length"] == str(len(LARGE)).encode()
    assert b"".join(piece["body"] for piece in pieces) == LARGE
    assert {len(piece["body"]) for piece in pieces[:-1]} == {PIECE}
    assert [piece["more_body"] for piece in pieces] == [True] * (len(pieces) - 1) + [False]


def test_what_a_client_does_not_read_is_counted_until_it_has_gone() -> None:
    assert len(asyncio.run(sent("GET", 2, ByteBudget(ALL_UNSENT_MAX)))) == 2


async def read_after_a_silent_reader() -> tuple[bool, int]:
    """Whether a client that reads nothing was disconnected for the next one, and the status of that one."""
    disconnected, status = asyncio.Event(), 0
    unsent = ByteBudget(len(LARGE))
    app = ResponseLimitsMiddleware(Response(LARGE), unsent)
    scope = {"type": "http", "method": "GET", "headers": []}

    async def receive() -> Message:
        raise AssertionError

    async def send_when_disconnected(message: Message) -> None:
        if message["type"] == "http.response.body":
            await disconnected.wait()

    async def send(message: Message) -> None:
        nonlocal status
        status = message.get("status", status)

    with_extension = {**scope, "extensions": {DISCONNECT: disconnected.set}}
    silent = asyncio.create_task(app(with_extension, receive, send_when_disconnected))
    while not unsent.size:
        await asyncio.sleep(0)
    await app(scope, receive, send)
    silent.cancel()
    await asyncio.wait([silent])
    assert unsent.size == 0
    return disconnected.is_set(), status


def test_a_client_that_reads_nothing_gives_way_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(byte_budget, "SLOW_AFTER", 60)
    assert asyncio.run(read_after_a_silent_reader()) == (False, 503)
    monkeypatch.setattr(byte_budget, "SLOW_AFTER", 0)
    assert asyncio.run(read_after_a_silent_reader()) == (True, 200)


@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_a_large_response_is_made_if_a_client_that_reads_nothing_can_give_way(roomy: Container, method: str) -> None:
    disconnected: list[bool] = []
    app = create_app(roomy)
    unsent = app.state.unsent
    silent = unsent.hold({"extensions": {DISCONNECT: lambda: disconnected.append(True)}})
    unsent.add(silent, unsent.limit)
    with TestClient(app) as client:
        assert client.request(method, "/users/1", json={}).status_code == 503
        silent.waiting_since = 0.0
        assert client.request(method, "/users/1", json={}).status_code == 200
    assert disconnected == [True]


def test_a_response_without_its_content_is_not_counted() -> None:
    start, body = asyncio.run(sent("HEAD", 1000, ByteBudget(0)))
    assert dict(start["headers"])[b"content-length"] == str(len(LARGE)).encode()
    assert body["body"] == b""
