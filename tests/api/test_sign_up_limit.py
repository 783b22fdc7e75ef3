"""The rate limit on sign-ups per client address."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from entrypoints.api.app import create_app
from entrypoints.container import build_container
from entrypoints.settings import Settings, WrongSetting
from tests.api.problems import expect_problem
from tests.conftest import FastHasher


@contextmanager
def serving(address: str = "192.0.2.1", **settings: object) -> Iterator[TestClient]:
    """A client with this address, of an API in memory with these settings."""
    container = build_container(Settings.model_validate({"DATABASE_URL": "memory://", **settings}))
    container.hasher.override(FastHasher())
    with TestClient(create_app(container), client=(address, 50_000)) as client:
        yield client


def sign_up(client: TestClient, **more: Any) -> Response:
    user = {"email": f"{uuid4().hex}@example.com", "password": "correct horse"}
    return client.post("/users/", json=user | more)


def test_there_is_no_limit_by_default() -> None:
    with serving() as client:
        responses = [sign_up(client) for _ in range(20)]
    assert [each.status_code for each in responses] == [200] * 20
    assert not any("RateLimit" in each.headers or "RateLimit-Policy" in each.headers for each in responses)


def test_responses_have_the_remaining_quota_and_sign_ups_over_the_limit_are_refused() -> None:
    with serving(sign_up_limit="3/hour") as client:
        taken = {"email": "rick@example.com"}
        responses = [sign_up(client, **taken), sign_up(client, **taken), sign_up(client)]
        refused = sign_up(client)
        assert len(client.get("/users/").json()) == 2
    assert [each.status_code for each in responses] == [200, 400, 200]
    for left, response in zip((2, 1, 0, 0), [*responses, refused], strict=True):
        assert response.headers["RateLimit-Policy"] == '"sign-ups";q=3;w=3600'
        name, remaining, seconds = response.headers["RateLimit"].split(";")
        assert (name, remaining, seconds[:2]) == ('"sign-ups"', f"r={left}", "t=")
        assert 3500 < int(seconds[2:]) <= 3600
    assert expect_problem(refused, 429)["detail"] == "Too many sign-ups or password changes from your address"
    assert refused.headers["Retry-After"] == refused.headers["RateLimit"].partition("t=")[2]


def test_password_changes_count_like_sign_ups() -> None:
    with serving(sign_up_limit="3/hour") as client:
        assert sign_up(client).headers["RateLimit"].startswith('"sign-ups";r=2;')
        new = {"password": "battery staple"}
        responses = [client.patch("/users/1", json=new), client.patch("/users/2", json=new)]
        refused = [client.patch("/users/1", json=new | {"is_active": False}), sign_up(client)]
        assert client.patch("/users/1", json={"is_active": True}).status_code == 200
    assert [each.status_code for each in responses] == [200, 404]
    assert [each.headers["RateLimit"].partition(";t=")[0] for each in responses] == ['"sign-ups";r=1', '"sign-ups";r=0']
    for response in refused:
        expect_problem(response, 429)
        assert response.headers["Retry-After"] == response.headers["RateLimit"].partition("t=")[2]


def test_invalid_requests_are_not_counted() -> None:
    with serving(sign_up_limit="1/hour") as client:
        for _ in range(3):
            response = sign_up(client, email="nonsense")
            assert (response.status_code, "RateLimit" in response.headers) == (422, False)
        assert sign_up(client).status_code == 200


def test_other_requests_are_not_counted() -> None:
    with serving(sign_up_limit="1/hour") as client:
        sign_up(client)
        for _ in range(3):
            assert "RateLimit" not in client.get("/users/").headers
            assert client.post("/users/1/items/", json={"title": "Towel"}).status_code == 200
            assert client.patch("/users/1", json={"is_active": True}).status_code == 200
        assert sign_up(client).status_code == 429


def test_every_spelling_of_the_path_is_counted() -> None:
    with serving(sign_up_limit="1/hour", root_path="/api") as client:
        sign_up(client)
        user = {"email": "a@example.com", "password": "correct horse"}
        for path in ("/users/", "/users", "/%75sers/", "/api/users/"):
            assert client.post(path, json=user).status_code in (404, 429)
        assert len(client.get("/users/").json()) == 1


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("nonsense", "\r\nmore: nonsense", True),
    ],
)
def test_which_addresses_are_one_client(one: str, other: str, same: bool) -> None:
    with serving(one, sign_up_limit="1/hour") as client:
        assert sign_up(client).status_code == 200
        with TestClient(client.app, client=(other, 50_000)) as second:
            assert sign_up(second).status_code == (429 if same else 200)


def test_sign_ups_work_while_redis_is_unavailable() -> None:
    with serving(sign_up_limit="1/hour", redis_url="redis://127.0.0.1:1/0") as client:
        for _ in range(3):
            response = sign_up(client)
            assert response.status_code == 200
            assert "RateLimit" not in response.headers


def test_redis_counts_for_all_processes() -> None:
    url = os.environ.get("TEST_REDIS_URL")
    if url is None:
        pytest.skip("there is no Redis (TEST_REDIS_URL names none)")
    address = f"2001:db8:{uuid4().hex[:4]}:{uuid4().hex[:4]}::1"
    with (
        serving(address, sign_up_limit="1/minute", redis_url=url) as one,
        serving(address, sign_up_limit="1/minute", redis_url=url) as other,
    ):
        assert [sign_up(one).status_code, sign_up(other).status_code] == [200, 429]


@pytest.mark.parametrize("limit", ["1/hour", None])
@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://:hunter2@127.0.0.1:6379/0",
        "redis://127.0.0.1:hunter2/0",
        "redis://127.0.0.1:6379?hunter2=x",
        "redis://127.0.0.1:6379?db=hunter2",
        "redis://:hunter2@127.0.0.1:6379?protocol=9",
    ],
)
def test_an_invalid_redis_url_is_not_repeated(limit: str | None, url: str) -> None:
    with (
        pytest.raises(WrongSetting, match="BELONGINGS_REDIS_URL is not a Redis URL") as wrong,
        serving(sign_up_limit=limit, redis_url=url),
    ):
        pass
    assert "hunter2" not in str(wrong.value)
