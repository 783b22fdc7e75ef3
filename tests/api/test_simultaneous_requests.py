"""Simultaneous requests."""

from collections import Counter

import anyio
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient, Response

from entrypoints.api.app import create_app
from entrypoints.container import Container
from tests.api.problems import expect_problem

Request = tuple[str, str, object]


def all_at_once(app: FastAPI, *rounds: list[Request], headers: dict[str, str] | None = None) -> list[list[Response]]:
    """The responses to rounds of simultaneous requests, in the order of the requests."""

    async def run() -> list[list[Response]]:
        transport = ASGITransport(app=app)
        client = AsyncClient(transport=transport, base_url="http://api", headers=headers)
        async with app.router.lifespan_context(app), client:
            return [await at_once(client, requests) for requests in rounds]

    return anyio.run(run)


async def at_once(client: AsyncClient, requests: list[Request]) -> list[Response]:
    responses: dict[int, Response] = {}

    async def send(number: int, method: str, path: str, body: object) -> None:
        responses[number] = await client.request(method, path, json=body)

    async with anyio.create_task_group() as group:
        for number, request in enumerate(requests):
            group.start_soon(send, number, *request)
    return [responses[number] for number in range(len(requests))]


def sign_up(email: str) -> Request:
    return "POST", "/users/", {"email": email, "password": "wubbalubba"}


def test_sign_ups_with_different_addresses_all_succeed(container: Container) -> None:
    addresses = [f"rick{n}@example.com" for n in range(16)]
    (responses,) = all_at_once(create_app(container), [sign_up(address) for address in addresses])
    assert [response.status_code for response in responses] == [200] * 16
    assert [response.json()["email"] for response in responses] == addresses
    assert len({response.json()["id"] for response in responses}) == 16


def test_of_32_sign_ups_with_one_address_one_succeeds(container: Container) -> None:
    others = [sign_up(f"morty{n}@example.com") for n in range(8)]  # so that all connections are open
    rounds = [[sign_up(f"rick{n}@example.com")] * 32 for n in range(5)]
    _, *answered, (everybody,) = all_at_once(create_app(container), others, *rounds, [("GET", "/users/", None)])
    for responses in answered:
        assert Counter(response.status_code for response in responses) == {200: 1, 400: 31}
        for response in responses:
            if response.status_code == 400:
                problem = expect_problem(response, 400, "email-taken")
                assert problem["detail"] == "Email already registered"
            else:
                assert response.json() in everybody.json()
    assert len(everybody.json()) == 8 + 5


def test_readers_and_writers_all_get_responses(container: Container) -> None:
    requests: list[Request] = []
    for n in range(16):
        requests += [("POST", "/items/", {"title": str(n)}), ("GET", "/items/", None), ("GET", "/users/", None)]
    (responses,) = all_at_once(create_app(container), requests)
    assert [response.status_code for response in responses] == [200] * 48
    kept = sorted((response.json() for response in responses[::3]), key=lambda item: int(item["id"]))
    assert {item["title"] for item in kept} == {str(n) for n in range(16)}
    for response in responses[1::3]:
        assert response.json() == [item for item in kept if item in response.json()]
