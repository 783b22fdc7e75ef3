"""Invalid fields of a body are named; their values are not repeated and nothing is stored."""

import pytest
from fastapi.testclient import TestClient

from tests.api.problems import expect_invalid, expect_problem

MARKER = "wubba-lubba-dub-dub"

USER = {"email": '"rick@example.com"', "password": f'"{MARKER}"'}
ITEM = {"title": f'"{MARKER}"', "description": f'"{MARKER}"', "price": "1.5"}

ACCENTS = r"\u0301" * 31

TEXTS = {
    "NUL": rf'"{MARKER}\u0000"',
    "a lone high surrogate": rf'"{MARKER}\ud800"',
    "a lone low surrogate": rf'"\udfff{MARKER}"',
    "surrogates the wrong way round": rf'"{MARKER}\udc00\ud800"',
    "31 accents on one letter": f'"{MARKER}{ACCENTS}"',
    "a number": "1",
    "true": "true",
    "a list": f'["{MARKER}"]',
    "an object": f'{{"{MARKER}": 1}}',
}
EMAILS = TEXTS | {
    "null": "null",
    "nothing": '""',
    "no @": f'"{MARKER}"',
    "two @": f'"{MARKER}@b@example.com"',
    "a blank": f'"a {MARKER}@example.com"',
    "a line break": rf'"a@example.com\nBcc: {MARKER}@example.com"',
    "255 characters": f'"{"x" * 243}@example.com"',
    "31 accents before the @": f'"{MARKER}{ACCENTS}@example.com"',
    "an IP address": f'"{MARKER}@10.0.0.1"',
    "an IP address in brackets": f'"{MARKER}@[10.0.0.1]"',
    "a display name": f'"{MARKER} <a@example.com>"',
}
PASSWORDS = TEXTS | {"null": "null", "nothing": '""', "129 characters": f'"{"x" * 129}"'}
TITLES = TEXTS | {
    "null": "null",
    "nothing": '""',
    "a blank": '" "',
    "only white space": r'"\t\n\r\u00a0\u2028\u3000\u001c"',
    "256 characters": f'"{"x" * 256}"',
    "256 characters of four bytes": f'"{"😀" * 256}"',
}
DESCRIPTIONS = TEXTS | {"10,001 characters": f'"{"x" * 10_001}"'}
NUMBERS = {
    "NaN": "NaN",
    "Infinity": "Infinity",
    "-Infinity": "-Infinity",
    "1e999": "1e999",
    "true": "true",
    "false": "false",
    "a string": f'"{MARKER}"',
    "a number in a string": '"1"',
    "a list": "[1]",
    "400 digits": "9" * 400,
}
PRICES = NUMBERS | {
    "less than nothing": "-0.01",
    "three places": "0.001",
    "0.1 + 0.2 as floats": "0.30000000000000004",
    "thirteen digits": "10000000000",
    "a little too much": "9999999999.991",
    "the least double": "5e-324",
    "the greatest double": "1.7976931348623157e308",
}
OWNERS = NUMBERS | {"0": "0", "-1": "-1", "2⁶³": str(2**63), "10³⁰": str(10**30), "1e30": "1e30", "a fraction": "1.5"}

MEMBERS = [
    pytest.param(path, member, raw, id=f"{member} of {path} is {what}")
    for path, member, values in (
        ("/users/", "email", EMAILS),
        ("/users/", "password", PASSWORDS),
        ("/items/", "title", TITLES),
        ("/items/", "description", DESCRIPTIONS),
        ("/items/", "price", PRICES),
        ("/items/", "owner_id", OWNERS),
    )
    for what, raw in values.items()
]


@pytest.mark.parametrize(("path", "member", "raw"), MEMBERS)
def test_an_invalid_field_is_named(empty_client: TestClient, path: str, member: str, raw: str) -> None:
    members = (USER if path == "/users/" else ITEM) | {member: raw}
    body = ", ".join(f'"{name}": {value}' for name, value in members.items())
    response = empty_client.post(path, content=f"{{{body}}}".encode(), headers={"Content-Type": "application/json"})
    expect_invalid(response, ["body", member])
    assert MARKER not in response.text


@pytest.mark.parametrize("raw", TITLES.values(), ids=TITLES)
def test_a_title_sent_as_name_is_validated_like_a_title(empty_client: TestClient, raw: str) -> None:
    content = f'{{"name": {raw}}}'.encode()
    response = empty_client.post("/items/", content=content, headers={"Content-Type": "application/json"})
    expect_problem(response, 422, "invalid-request")
    assert MARKER not in response.text


def test_a_missing_field_is_named(empty_client: TestClient) -> None:
    expect_invalid(empty_client.post("/users/", json={"password": MARKER}), ["body", "email"])
    expect_invalid(empty_client.post("/users/", json={"email": "rick@example.com"}), ["body", "password"])
    expect_invalid(empty_client.post("/items/", json={"description": MARKER}), ["body", "title"])


def test_all_errors_are_reported_at_once(empty_client: TestClient) -> None:
    expect_invalid(empty_client.post("/users/", json={"more": MARKER}), ["body", "email"], ["body", "password"])
    response = empty_client.post("/items/", json={"title": [MARKER], "price": MARKER, "owner_id": 0})
    expect_invalid(response, ["body", "title"], ["body", "price"], ["body", "owner_id"])
    assert MARKER not in response.text
