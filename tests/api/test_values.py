"""Values are returned exactly as they were sent."""

from decimal import Decimal

import pytest
from fastapi.testclient import TestClient

TEXTS = {
    "255 characters": "x" * 255,
    "255 characters of four bytes": "😀" * 255,
    "blanks around it": " Towel ",
    "letters that some databases take for others": "é e\u0301 ß ss İ ı ｆ",
    "markup": "<b>&amp;</b>",
    "SQL": "'; DROP TABLE items; --",
    "places to fill in": "%s %(x)s {} :name ?",
    "control characters": "a\tb\r\n\u0001\u007f\u0085\u2028\ufeff\uffff",
}
DESCRIPTIONS = TEXTS | {"nothing": "", "a blank": " ", "10,000 characters of four bytes": "😀" * 10_000}
ADDRESSES = [
    "RiCk.S+tag@example.com",
    "ünï@exämple.com",
    "o'neil@example.co.uk",
    "李@example.org",
    pytest.param(f"{'x' * 242}@example.com", id="254 characters"),
]
PASSWORDS = ["8 signs!", "x" * 128, "😀" * 8, "😀" * 128, "pass\tword\n\u200b", "        "]
PRICES = {
    "0": "0.0",
    "-0.0": "0.0",
    "0.01": "0.01",
    "0.1": "0.1",
    "0.29": "0.29",
    "1.10": "1.1",
    "7": "7.0",
    "1e2": "100.0",
    "1234567890.12": "1234567890.12",
    "9999999999.99": "9999999999.99",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_title_is_returned_unchanged(module_client: TestClient, text: str) -> None:
    item = module_client.post("/items/", json={"title": text}).json()
    assert item["title"] == text
    assert module_client.get(f"/items/{item['id']}").json() == item


@pytest.mark.parametrize("text", DESCRIPTIONS.values(), ids=DESCRIPTIONS)
def test_a_description_is_returned_unchanged(module_client: TestClient, text: str) -> None:
    item = module_client.post("/items/", json={"title": "Towel", "description": text}).json()
    assert item["description"] == text
    assert module_client.get(f"/items/{item['id']}").json() == item


@pytest.mark.parametrize(("sent", "shown"), PRICES.items())
def test_a_price_is_an_exact_json_number(module_client: TestClient, sent: str, shown: str) -> None:
    content = f'{{"title": "Towel", "price": {sent}}}'
    response = module_client.post("/items/", content=content, headers={"Content-Type": "application/json"})
    assert response.status_code == 200, response.text
    for item in (response, module_client.get(response.headers["Location"])):
        assert f'"price":{shown},' in item.text
        assert item.json(parse_float=Decimal)["price"] == Decimal(sent)


@pytest.mark.parametrize("email", ADDRESSES)
def test_an_address_is_returned_unchanged(module_client: TestClient, email: str) -> None:
    user = module_client.post("/users/", json={"email": email, "password": "wubbalubba"}).json()
    assert user["email"] == email
    assert module_client.get(f"/users/{user['id']}").json() == user


def test_a_password_has_8_to_128_characters_of_any_kind(module_client: TestClient) -> None:
    for number, password in enumerate(PASSWORDS):
        response = module_client.post("/users/", json={"email": f"rick{number}@example.com", "password": password})
        assert response.status_code == 200, response.text
