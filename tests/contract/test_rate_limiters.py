"""What ``RateLimiter`` promises, in memory and in Redis."""

import logging
import os
import socket
from asyncio import run
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from uuid import uuid4

import pytest

from adapters.rate_limiting import FixedWindowLimiter
from service_layer.ports import Quota

REDIS = os.environ.get("TEST_REDIS_URL")
Use = Callable[[FixedWindowLimiter], Awaitable[None]]


@pytest.fixture(params=["memory", "redis"])
def url(request: pytest.FixtureRequest) -> str | None:
    if request.param == "memory":
        return None
    if REDIS is None:
        pytest.skip("there is no Redis (TEST_REDIS_URL names none)")
    return REDIS


@pytest.fixture
def client() -> str:
    """A client that nobody has counted yet."""
    return uuid4().hex


@pytest.fixture
def silent_redis() -> Iterator[str]:
    """Where something listens that never says a word."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"


def use(rate: str, url: str | None, work: Use) -> None:
    async def main() -> None:
        limiter = FixedWindowLimiter(rate, url)
        try:
            await work(limiter)
        finally:
            await limiter.close()

    run(main())


def test_a_client_takes_as_many_as_there_are_and_no_more(url: str | None, client: str) -> None:
    async def work(limiter: FixedWindowLimiter) -> None:
        assert (limiter.limit, limiter.window_seconds) == (3, 3600)
        took = [await limiter.hit(client) for _ in range(5)]
        assert [(each.allowed, each.remaining) for each in took if each] == [
            (True, 2),
            (True, 1),
            (True, 0),
            (False, 0),
            (False, 0),
        ]
        assert all(each and 0 < each.reset_seconds <= 3600 for each in took)

    use("3/hour", url, work)


def test_clients_are_counted_apart(url: str | None, client: str) -> None:
    async def work(limiter: FixedWindowLimiter) -> None:
        for each in (client, f"{client}2"):
            assert (await limiter.hit(each) or Quota(False, 0, 0)).allowed

    use("1/day", url, work)


def test_all_are_there_again_after_the_window(url: str | None, client: str) -> None:
    async def work(limiter: FixedWindowLimiter) -> None:
        refused = 0
        while (quota := await limiter.hit(client)) and refused < 1:  # a second may pass at any moment
            refused += not quota.allowed
        while (quota := await limiter.hit(client)) and not quota.allowed:
            pass
        assert quota
        assert quota.allowed

    use("1/second", url, work)


def test_processes_count_together_in_redis(client: str) -> None:
    if REDIS is None:
        pytest.skip("there is no Redis (TEST_REDIS_URL names none)")

    async def work(limiter: FixedWindowLimiter) -> None:
        other = FixedWindowLimiter("1/hour", REDIS)
        assert (await other.hit(client) or Quota(False, 0, 0)).allowed
        await other.close()
        assert not (await limiter.hit(client) or Quota(True, 0, 0)).allowed

    use("1/hour", REDIS, work)


@pytest.mark.parametrize("listens", [True, False])
def test_a_redis_that_is_away_limits_nobody_and_is_logged_once(
    silent_redis: str, listens: bool, caplog: pytest.LogCaptureFixture
) -> None:
    url = silent_redis if listens else "redis://:hunter2@127.0.0.1:1/0"

    async def work(limiter: FixedWindowLimiter) -> None:
        assert [await limiter.hit("anybody") for _ in range(3)] == [None] * 3

    with caplog.at_level(logging.WARNING, "belongings"):
        use("1/hour", url, work)
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "Redis is unavailable; requests are not rate limited until it is back"
    ]
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize("url", ["nonsense", "http://127.0.0.1:6379", "redis://127.0.0.1:port"])
def test_what_is_no_redis_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        FixedWindowLimiter("1/hour", url)
