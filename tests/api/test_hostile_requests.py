"""Malicious requests: each is refused, not repeated, and nothing is stored."""

from collections.abc import Iterator
from gzip import compress
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from tests.api.problems import expect_invalid, expect_problem

MARKER = "wubba-lubba-dub-dub"
JSON = {"Content-Type": "application/json"}
BODY_MAX = 1024 * 1024

USER = f'{{"email": "rick@example.com", "password": "{MARKER}"}}'.encode()
ITEM = f'{{"title": "{MARKER}"}}'.encode()

BODIES = {
    "nothing": b"",
    "no JSON": MARKER.encode(),
    "cut off": ITEM[:-1],
    "a trailing comma": ITEM[:-1] + b",}",
    "two objects": ITEM + ITEM,
    "null": b"null",
    "a string": f'"{MARKER}"'.encode(),
    "a list": b"[" + ITEM + b"]",
    "an empty object": b"{}",
    "invalid UTF-8": ITEM[:-2] + b'\xff"}',
    "a surrogate in UTF-8": ITEM[:-2] + b'\xed\xa0\x80"}',
    "an overlong NUL": ITEM[:-2] + b'\xc0\x80"}',
    "lists, 100,000 deep": b"[" * 100_000 + b"]" * 100_000,
    "objects, 100,000 deep": b'{"title":' * 100_000 + b"1" + b"}" * 100_000,
    "unclosed lists": b'{"title": ' + b"[" * 100_000,
    "lists, 100,000 deep, in an unknown field": ITEM[:-1] + b', "more": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "a price of 5,000 digits": ITEM[:-1] + b', "price": ' + b"9" * 5_000 + b"}",
    "an owner of 5,000 digits": ITEM[:-1] + b', "owner_id": ' + b"9" * 5_000 + b"}",
}
TYPES = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/xml", "json", "/", ""]
NO_WHOLE_NUMBERS = ["1_0", " 1", "1 ", "+1", "1.0", "1e1", "0x1", "١", "１", "²", "½", "abc", "NaN", "\x00", MARKER]
TOO_GREAT = [str(2**63), str(10**30), pytest.param("9" * 5_000, id="5,000 digits")]
TITLE: list[str | int] = ["body", "title"]
LISTS = ["/users/", "/items/", "/users/1/items/"]


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_that_cannot_be_parsed_is_refused(empty_client: TestClient, body: bytes) -> None:
    for path in ("/users/", "/items/", "/users/1/items/"):
        response = empty_client.post(path, content=body, headers=JSON)
        status = response.status_code
        assert status in (400, 422)
        expect_problem(response, status, "about:blank" if status == 400 else "invalid-request")
        assert MARKER not in response.text


@pytest.mark.parametrize("coding", ["gzip", "br", "gzip, identity", "identity, identity", MARKER])
def test_a_body_with_a_content_encoding_is_refused(empty_client: TestClient, coding: str) -> None:
    for path, body in (("/users/", USER), ("/items/", compress(ITEM)), ("/items/batch", b"")):
        response = empty_client.post(path, content=body, headers=JSON | {"Content-Encoding": coding})
        expect_problem(response, 415)
        assert response.headers["Accept-Encoding"] == "identity"
        assert MARKER not in response.text


def test_a_body_with_the_identity_encoding_is_read(empty_client: TestClient) -> None:
    for coding in ("identity", "Identity", ""):
        expect_invalid(empty_client.post("/items/", content=b"{}", headers=JSON | {"Content-Encoding": coding}), TITLE)


@pytest.mark.parametrize("headers", [{}, *({"Content-Type": type} for type in TYPES)], ids=["no type", *TYPES])
def test_a_body_without_a_json_media_type_is_refused(empty_client: TestClient, headers: dict[str, str]) -> None:
    for path, body in (("/users/", USER), ("/items/", ITEM), ("/users/1/items/", ITEM)):
        response = empty_client.post(path, content=body, headers=headers)
        expect_invalid(response, ["body"])
        assert response.json()["errors"][0]["msg"] == "Send JSON, with Content-Type: application/json"
        assert MARKER not in response.text


@pytest.mark.parametrize("id", ["0", "-1", "-0", *NO_WHOLE_NUMBERS, *TOO_GREAT])
def test_an_id_is_a_64_bit_integer_in_decimal_digits(empty_client: TestClient, id: str) -> None:
    quoted = quote(id, safe="")
    expect_invalid(empty_client.get(f"/items/{quoted}"), ["path", "item_id"])
    responses = [
        empty_client.get(f"/users/{quoted}"),
        empty_client.get(f"/users/{quoted}/items/"),
        empty_client.post(f"/users/{quoted}/items/", content=ITEM, headers=JSON),
    ]
    for response in responses:
        expect_invalid(response, ["path", "user_id"])
        assert MARKER not in response.text


@pytest.mark.parametrize("value", ["", "-1", *NO_WHOLE_NUMBERS, *TOO_GREAT])
@pytest.mark.parametrize("name", ["limit", "skip", "offset", "after"])
def test_paging_parameters_are_64_bit_integers(empty_client: TestClient, name: str, value: str) -> None:
    for path in LISTS:
        response = empty_client.get(f"{path}?{name}={quote(value, safe='')}")
        expect_invalid(response, ["query", name])
        assert MARKER not in response.text


@pytest.mark.parametrize("limit", ["0", "101", "1000", "1&limit=101"])
def test_a_page_has_1_to_100_rows(empty_client: TestClient, limit: str) -> None:
    for path in LISTS:
        expect_invalid(empty_client.get(f"{path}?limit={limit}"), ["query", "limit"])


@pytest.mark.parametrize("length", [BODY_MAX + 1, 10**18, pytest.param("9" * 5_000, id="5,000 digits")])
def test_a_content_length_over_1_mib_is_refused_before_the_body_is_read(
    empty_client: TestClient, length: object
) -> None:
    def unread() -> Iterator[bytes]:
        pytest.fail("it was read")
        yield b""

    for path in ("/users/", "/items/", "/users/1/items/", "/nothing"):
        expect_problem(empty_client.post(path, content=unread(), headers=JSON | {"Content-Length": str(length)}), 413)


def test_a_body_over_1_mib_is_refused_whole_or_in_pieces(empty_client: TestClient) -> None:
    piece = b" " * (BODY_MAX // 4)
    for path in ("/users/", "/items/", "/users/1/items/"):
        whole = empty_client.post(path, content=piece * 4 + ITEM, headers=JSON)
        pieces = empty_client.post(path, content=iter([piece, piece, piece, piece, ITEM]), headers=JSON)
        for response in (whole, pieces):
            assert expect_problem(response, 413)["detail"] == "The body is larger than 1 MiB"
            assert MARKER not in response.text


def test_headers_do_not_count_towards_the_1_mib_of_a_body(empty_client: TestClient) -> None:
    nothing = b'{"title": ""}'
    blanks = b" " * (BODY_MAX - len(nothing))
    expect_invalid(empty_client.post("/items/", content=blanks + nothing, headers=JSON), ["body", "title"])
    expect_invalid(empty_client.post("/items/", content=iter([blanks, nothing]), headers=JSON), ["body", "title"])
