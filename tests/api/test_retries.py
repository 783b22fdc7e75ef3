"""``Idempotency-Key``: retries take effect once."""

from collections import Counter
from typing import Any

import pytest
from dependency_injector import providers
from fastapi.testclient import TestClient

from entrypoints.api.app import create_app
from entrypoints.container import Container
from tests.api.problems import expect_invalid, expect_problem
from tests.api.test_simultaneous_requests import all_at_once

SECRET = "wubba lubba dub dub"
POSTS: list[tuple[str, Any, Any]] = [
    ("/users/", {"email": "rick@example.com", "password": SECRET}, {"email": "morty@example.com", "password": SECRET}),
    ("/items/", {"title": "Towel", "price": 0.1}, {"title": "Towel", "price": 0.2}),
    ("/users/{user}/items/", {"title": "Towel"}, {"title": "Sieve"}),
    ("/items/batch", [{"title": "one"}, {"title": "two"}], [{"title": "two"}, {"title": "one"}]),
]
every_post = pytest.mark.parametrize(("path", "body", "other"), POSTS)
KEY = {"Idempotency-Key": "5f0c8a86-6c1f-4b8d-8b1c-2d3f"}


@pytest.fixture
def user(client: TestClient) -> int:
    return int(client.post("/users/", json={"email": "summer@example.com", "password": SECRET}).json()["id"])


def everything(client: TestClient) -> tuple[str, str]:
    return client.get("/users/").text, client.get("/items/").text


@every_post
def test_a_retry_gets_the_first_response(client: TestClient, user: int, path: str, body: Any, other: Any) -> None:
    path = path.format(user=user)
    headers = {**KEY, "X-Request-ID": "again"}
    first = client.post(path, json=body, headers=headers)
    assert first.status_code == 200
    kept = everything(client)
    again = client.post(path, json=body, headers=headers)
    assert (again.status_code, again.text, again.headers) == (200, first.text, first.headers)
    assert everything(client) == kept


@every_post
def test_a_key_cannot_be_reused_with_another_body(
    client: TestClient, user: int, path: str, body: Any, other: Any
) -> None:
    path = path.format(user=user)
    client.post(path, json=body, headers=KEY)
    kept = everything(client)
    problem = expect_problem(client.post(path, json=other, headers=KEY), 422, "idempotency-key-reused")
    assert problem["errors"][0]["loc"] == ["header", "Idempotency-Key"]
    assert everything(client) == kept


def test_a_key_cannot_be_reused_on_another_route(client: TestClient, user: int) -> None:
    client.post("/items/", json={"title": "Towel"}, headers=KEY)
    kept = everything(client)
    for path, body in ((f"/users/{user}/items/", {"title": "Towel"}), ("/items/batch", [{"title": "Towel"}])):
        expect_problem(client.post(path, json=body, headers=KEY), 422, "idempotency-key-reused")
    assert everything(client) == kept


def test_another_password_counts_as_another_body(client: TestClient, container: Container) -> None:
    from adapters.password_hashing import Argon2PasswordHasher

    with container.hasher.override(providers.Singleton(Argon2PasswordHasher)):
        body = {"email": "rick@example.com", "password": SECRET}
        first = client.post("/users/", json=body, headers=KEY)
        other = client.post("/users/", json=body | {"password": f"{SECRET}!"}, headers=KEY)
        expect_problem(other, 422, "idempotency-key-reused")
        assert client.post("/users/", json=body, headers=KEY).text == first.text


def test_the_formatting_of_a_body_does_not_matter(client: TestClient) -> None:
    headers = KEY | {"Content-Type": "application/json"}
    first = client.post("/items/", content=b'{"title": "Towel", "price": 1}', headers=headers)
    again = client.post("/items/", content=b'{"price":1.0,\n"title":"\\u0054owel","owner_id":null}', headers=headers)
    assert again.text == first.text
    assert len(client.get("/items/").json()) == 1


def test_different_keys_are_different_requests(client: TestClient) -> None:
    for key in ("a", "A", "b"):
        client.post("/items/", json={"title": "Towel"}, headers={"Idempotency-Key": key})
    assert len(client.get("/items/").json()) == 3


@pytest.mark.parametrize(
    ("bare", "quoted"),
    [
        ("5f0c8a86-6c1f", '"5f0c8a86-6c1f"'),
        ('a"b', r'"a\"b"'),
        ("a\\b", r'"a\\b"'),
        ("a\\", r'"a\\"'),
        ("x" * 255, f'"{"x" * 255}"'),
    ],
)
def test_a_key_with_and_without_quotes_is_the_same(client: TestClient, bare: str, quoted: str) -> None:
    responses = [
        client.post("/items/", json={"title": "Towel"}, headers={"Idempotency-Key": key})
        for key in (bare, quoted, bare)
    ]
    assert [each.text for each in responses] == [responses[0].text] * 3
    assert client.get("/items/").json() == [responses[0].json()]


def test_a_key_in_quotes_can_contain_spaces(client: TestClient) -> None:
    for key in ('" "', '"a b"', '"a  b"'):
        for _ in range(2):
            client.post("/items/", json={"title": "Towel"}, headers={"Idempotency-Key": key}).raise_for_status()
    assert len(client.get("/items/").json()) == 3


def test_a_refused_request_can_be_retried_with_the_same_key(client: TestClient, user: int) -> None:
    expect_problem(client.post("/users/1000000/items/", json={"title": "Towel"}, headers=KEY), 404, "user-not-found")
    taken = {"email": "summer@example.com", "password": SECRET}
    for _ in range(2):
        expect_problem(client.post("/users/", json=taken, headers=KEY), 400, "email-taken")
    assert client.post("/items/", json={"title": "Towel"}, headers=KEY).status_code == 200


def test_a_key_is_kept_for_24_hours(client: TestClient, container: Container) -> None:
    for now, items in ((1_000_000, 1), (1_086_399, 1), (1_086_400, 2), (1_086_401, 2)):
        with container.clock.override(providers.Object(now)):
            assert client.post("/items/", json={"title": "Towel"}, headers=KEY).status_code == 200
            assert len(client.get("/items/").json()) == items


def test_a_retry_gets_the_first_response_after_the_resource_was_deleted(client: TestClient) -> None:
    first = client.post("/items/", json={"title": "Towel"}, headers=KEY)
    client.delete(first.headers["Location"])
    assert client.post("/items/", json={"title": "Towel"}, headers=KEY).text == first.text
    assert client.get("/items/").json() == []


_NO_STRINGS = ['"', '""', '"a', '"a"b', '"a";b=1', '"a", "b"', '"a\tb"', r'"a\"', r'"\a"', f'"{"x" * 256}"']


@pytest.mark.parametrize(
    "key", ["", "x" * 256, "a b", "\t", "\u00e9".encode("latin-1"), b"\x7f", b'"\xe9"', *_NO_STRINGS]
)
def test_an_invalid_key_is_refused(empty_client: TestClient, key: Any) -> None:
    response = empty_client.post("/items/", json={"title": "Towel"}, headers=[("Idempotency-Key", key)])
    expect_invalid(response, ["header", "Idempotency-Key"])


def test_a_request_has_one_key(empty_client: TestClient) -> None:
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    expect_invalid(
        empty_client.post("/items/", json={"title": "Towel"}, headers=headers), ["header", "Idempotency-Key"]
    )


@pytest.mark.parametrize(("path", "body"), [(path, body) for path, body, _ in POSTS if "{" not in path])
def test_of_16_simultaneous_requests_with_one_key_one_takes_effect(container: Container, path: str, body: Any) -> None:
    app = create_app(container)
    (responses,) = all_at_once(app, [("POST", path, body)] * 16, headers=KEY)
    statuses = Counter(response.status_code for response in responses)
    assert statuses.keys() <= {200, 409}
    assert len({response.text for response in responses if response.status_code == 200}) == 1
    for response in responses:
        if response.status_code == 409:
            expect_problem(response, 409, "idempotency-key-in-use")
            assert response.headers["Retry-After"] == "1"
    with TestClient(app) as client:
        kept = len(client.get("/users/").json()) + len(client.get("/items/").json())
    assert kept == (len(body) if path == "/items/batch" else 1)
