"""Clients that retry after lost responses, and clients that change one resource at the same time."""

from asyncio import StreamReader, StreamWriter, open_connection, start_server
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from typing import Any

import anyio
import pytest
from httpx2 import ASGITransport, AsyncClient, TransportError

from entrypoints.api.app import create_app
from entrypoints.container import Container
from service_layer.read_models import ITEMS
from tests.serving import served


@asynccontextmanager
async def proxy_dropping_every_third_response(port: int) -> AsyncIterator[int]:
    """The port of a proxy that drops every third response. It takes one request per connection."""
    responses = count(1)

    async def forward(reader: StreamReader, writer: StreamWriter) -> None:
        upstream, out = await open_connection("127.0.0.1", port)
        with suppress(ConnectionError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
            out.write(head + await reader.readexactly(length))
            response = await upstream.read(-1)
            if next(responses) % 3:
                writer.write(response)
                await writer.drain()
        for each in (out, writer):
            each.close()

    async with await start_server(forward, "127.0.0.1", 0) as proxy:
        yield proxy.sockets[0].getsockname()[1]


async def create_item(client: AsyncClient, number: int) -> dict[str, Any]:
    """Send one request until the response is a 200."""
    headers = {"Idempotency-Key": f"item-{number}", "Connection": "close"}
    while True:
        with suppress(TransportError):
            response = await client.post("/items/", json={"title": f"Thing {number}"}, headers=headers)
            assert response.status_code in (200, 409), response.text
            if response.status_code == 200:
                item: dict[str, Any] = response.json()
                return item


def check_retries(container: Container, requests: int) -> None:
    """Check that so many items, created by 16 clients that retry until acknowledged, are stored once each."""
    kept: list[dict[str, Any]] = []

    async def run() -> None:
        numbers = iter(range(requests))

        async def work(client: AsyncClient) -> None:
            for number in numbers:
                kept.append(await create_item(client, number))

        async with (
            served(create_app(container)) as port,
            proxy_dropping_every_third_response(port) as proxy,
            AsyncClient(base_url=f"http://127.0.0.1:{proxy}", timeout=30) as client,
            anyio.create_task_group() as group,
        ):
            for _ in range(16):
                group.start_soon(work, client)

    anyio.run(run)
    assert Counter(item["title"] for item in kept) == Counter(f"Thing {number}" for number in range(requests))
    assert len({item["id"] for item in kept}) == requests
    assert container.unit_of_work().views.count(ITEMS) == requests


def test_requests_retried_until_acknowledged_take_effect_once(container: Container) -> None:
    check_retries(container, 60)


@pytest.mark.long
def test_5000_requests_with_lost_responses_take_effect_once_each(container: Container) -> None:
    check_retries(container, 5_000)


def check_conditional_changes(container: Container, changes: int) -> None:
    """Check that a counter that four clients increment by conditional requests is the number of 200s."""
    statuses: Counter[int] = Counter()
    app = create_app(container)

    async def run() -> int:
        async with (
            app.router.lifespan_context(app),
            AsyncClient(transport=ASGITransport(app), base_url="http://api", timeout=60) as client,
        ):
            path = (await client.post("/items/", json={"title": "0"})).headers["Location"]
            left = iter(range(changes))

            async def work() -> None:
                for _ in left:
                    seen = await client.get(path)
                    response = await client.patch(
                        path,
                        json={"title": str(int(seen.json()["title"]) + 1)},
                        headers={"If-Match": seen.headers["ETag"]},
                    )
                    statuses[response.status_code] += 1

            async with anyio.create_task_group() as group:
                for _ in range(4):
                    group.start_soon(work)
            return int((await client.get(path)).json()["title"])

    final = anyio.run(run)
    assert statuses.keys() <= {200, 412}
    assert (statuses[200], sum(statuses.values())) == (final, changes)


def test_every_conditional_change_that_succeeds_takes_effect_once(container: Container) -> None:
    check_conditional_changes(container, 80)


@pytest.mark.long
def test_20000_conditional_changes_take_effect_once_each(container: Container) -> None:
    check_conditional_changes(container, 20_000)
