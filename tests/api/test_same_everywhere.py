"""One random sequence of valid and hostile requests gets the same responses from every store, to the byte."""

import json
from collections.abc import Iterator
from random import Random
from typing import Any

from fastapi.testclient import TestClient

from adapters.sql.engine.engines import parse_url
from adapters.sql.operations.migrations import migrate
from entrypoints.api.app import create_app
from tests.conftest import Databases, container_for
from tests.databases import ALL

REQUESTS = 600
SENT = {"Content-Type": "application/json", "X-Request-ID": "ours"}
HEADERS = (
    "x-request-id",
    "x-content-type-options",
    "cache-control",
    "content-type",
    "content-length",
    "location",
    "link",
    "allow",
    "retry-after",
)

WORDS = ["Towel", "é", "e\u0301", "ß", "ss", "ı", "İ", "ｆｕｌｌ", "😀", "blank  ", "%", "'", "\\", "x" * 255]
WORDS += [" ", "", "x" * 256]
LOCALS = ["a", "A", "ß", "ss", "é", "e\u0301", "ı", "i", "ｆ", "o'neill", "%", "a b", "x" * 64, "x" * 65]
DOMAINS = ["example.com", "EXAMPLE.com", "example.org", "exämple.de", "nowhere", "-bad-.com", ""]
PASSWORDS = ["long enough", "p" * 128, "", "p" * 129]
PRICES = ["0", "0.01", "1.10", "0.1", "-0.0", "1e2", "9999999999.99"] * 3 + ["10000000000", "0.001", "-1", "true"]
PRICES += ['"1"', "NaN", "Infinity", "1e999", "null", "1.005", "0.30000000000000004"]
OWNERS = ["null", "1", "2", "5"] * 2 + ["999", "true", "0", str(2**63)]
IDS = ["1", "2", "3", "7", "20"] * 5 + ["0", "-1", str(2**63 - 1), str(2**63), str(10**30), "1_0", "%201", "1.0"]
IDS += ["x", "%00"]
QUERIES = ["", "?limit=3", "?skip=2&limit=2", "?offset=4", "?after=3&limit=4"] * 2 + ["?limit=0", "?limit=101"]
QUERIES += ["?skip=-1", f"?skip={2**63 - 1}", f"?skip={2**63}", f"?after={2**63 - 1}", "?limit=abc", "?limit="]
BODIES = ["", "{", "[]", "null", '"x"', "[" * 5_000, '{"title": "\\u0000"}', '{"title": "\\ud800"}', '{"title": 1}']


def requests(random: Random) -> Iterator[tuple[str, str, str | None]]:
    """The requests: method, path and body."""
    pick = random.choice
    for _ in range(REQUESTS):
        user = json.dumps({"email": f"{pick(LOCALS)}@{pick(DOMAINS)}", "password": pick(PASSWORDS)})
        item = f'{{"{pick(["title", "title", "name"])}": {json.dumps(pick(WORDS))}, "price": {pick(PRICES)}'
        for_owner = f', "owner_id": {pick(OWNERS)}'
        described = f', "description": {json.dumps(pick(WORDS) * pick([1, 40]))}'
        yield pick(
            [
                ("POST", "/users/", user),
                ("POST", "/users/", user),
                ("POST", "/users/", user),
                ("POST", f"/users/{pick(IDS)}/items/", item + "}"),
                ("POST", "/items/", item + for_owner + described + "}"),
                ("POST", "/items/", item + for_owner + "}"),
                ("POST", pick(["/items/", "/users/"]), pick(BODIES)),
                ("GET", f"/users/{pick(IDS)}", None),
                ("GET", f"/items/{pick(IDS)}", None),
                ("GET", f"/users/{pick(QUERIES)}", None),
                ("GET", f"/items/{pick(QUERIES)}", None),
                ("GET", f"/users/{pick(IDS)}/items/{pick(QUERIES)}", None),
                (pick(["PUT", "HEAD", "OPTIONS"]), pick(["/users/", "/items/", "/nothing", "/health/ready"]), None),
            ]
        )


def responses(url: str) -> list[tuple[Any, ...]]:
    """The responses of a service on this database."""
    received = []
    with TestClient(create_app(container_for(url))) as client:
        for method, path, body in requests(Random(20)):
            content = None if body is None else body.encode()
            response = client.request(method, path, content=content, headers=SENT)
            kept = [response.headers.get(name) for name in HEADERS]
            received.append((method, path, body, response.status_code, kept, response.content))
    return received


def test_every_store_gives_the_same_responses(databases: Databases) -> None:
    expected = responses("memory://")
    for kind in ALL[1:]:
        url = databases.empty(kind)
        migrate(parse_url(url))
        for number, (one, other) in enumerate(zip(expected, responses(url), strict=True)):
            assert (kind, number, other) == (kind, number, one)


def test_the_requests_cover_all_operations_and_outcomes() -> None:
    statuses = [status for _, _, _, status, _, _ in responses("memory://")]
    assert {200, 400, 404, 405, 422} <= set(statuses)
    assert statuses.count(200) > REQUESTS / 4
    assert max(statuses) < 500
