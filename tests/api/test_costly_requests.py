"""The most expensive requests within all limits: none keeps a processor busy for long."""

import gc
import json
from collections.abc import Iterator
from time import process_time
from unicodedata import combining

import pytest
from fastapi.testclient import TestClient

from entrypoints.api.app import create_app
from entrypoints.api.middleware.request_limits import BODY_MAX
from tests.conftest import container_for

SECONDS = 2.0
"""Processor time of client and service together. None takes 0.5; a test fails if the cost is superlinear."""

_MARKS = sorted(filter(combining, map(chr, range(0x20000))), key=combining, reverse=True)


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    gc.freeze()  # as the service does when it starts, so that other loaded objects do not count
    with TestClient(create_app(container_for("memory://"))) as client:
        yield client
    gc.unfreeze()


def filled(part: bytes, *, most: int = BODY_MAX) -> bytes:
    """A JSON list of as many such parts as fit into a body."""
    return b"[" + b",".join([part] * min(most, (BODY_MAX - 1) // (len(part) + 1))) + b"]"


def batch(description: str) -> bytes:
    """As many items with this description as fit into a body and into a batch."""
    return filled(json.dumps({"title": "t", "description": description}, ensure_ascii=False).encode(), most=1000)


BODIES = {
    "long runs of marks": (
        "/items/batch",
        batch("".join(_MARKS[n * len(_MARKS) // 10_000] for n in range(10_000))),
        422,
    ),
    "marks that are no marks until decomposed": ("/items/batch", batch("\u0f73" * 10_000), 422),
    "runs of 30 marks": ("/items/batch", batch(("a" + "".join(_MARKS[:: len(_MARKS) // 29])[:30]) * 300), 200),
    "letters with three marks": ("/items/batch", batch("\u1faf" * 10_000), 200),
    "letters that are a sentence when decomposed": ("/items/batch", batch("\ufdfa" * 10_000), 200),
    "1,000 items of 1 KB": ("/items/batch", batch("я" * 500), 200),
    "1,000 items with every error": ("/items/batch", filled(b'{"title":1,"price":"","owner_id":0}', most=1000), 422),
    "half a million numbers": ("/items/batch", filled(b"1"), 422),
    "numbers of 4,300 digits": ("/items/batch", filled(b"9" * 4300), 422),
    "a price of a million digits": ("/items/", b'{"title":"t","price":0.' + b"3" * (BODY_MAX - 40) + b"}", 422),
    "nested lists": ("/items/batch", filled(b"[" * 900 + b"]" * 900), 422),
    "unclosed lists": ("/items/batch", b"[" * BODY_MAX, 400),
    "a domain of 240 letters": ("/users/", json.dumps({"email": f"a@{'ß' * 240}.co", "password": "x"}).encode(), 422),
    "a domain of 120 labels": ("/users/", json.dumps({"email": f"a@{'ü.' * 120}co", "password": "x"}).encode(), 422),
}


@pytest.mark.parametrize(("path", "body", "status"), BODIES.values(), ids=BODIES)
def test_no_body_takes_long(client: TestClient, path: str, body: bytes, status: int) -> None:
    assert len(body) <= BODY_MAX
    started = process_time()
    response = client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert process_time() - started < SECONDS
    assert response.status_code == status


@pytest.mark.parametrize(
    "query",
    [
        f"q={'%' * 50_000}",
        f"q={'a%20' * 10}",
        "&".join(["q=a"] * 15_000),
        "".join(f"{n}=&" for n in range(9_000)),
        f"limit={'9' * 60_000}",
        f"min_price={'9' * 60_000}",
        f"sort=title&cursor={'W' * 4_000}",
    ],
    ids=lambda query: query[:20],
)
def test_no_query_takes_long(client: TestClient, query: str) -> None:
    started = process_time()
    response = client.get(f"/items/?{query}")
    assert process_time() - started < SECONDS
    assert response.status_code in (200, 422)
