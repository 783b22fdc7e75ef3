"""Creating many items at once."""

import pytest
from fastapi.testclient import TestClient

from tests.api.problems import expect_invalid, expect_problem


def test_a_batch_is_created_in_order(client: TestClient) -> None:
    user = client.post("/users/", json={"email": "rick@example.com", "password": "wubbalubba"}).json()["id"]
    batch = [
        {"title": "Towel", "owner_id": user},
        {"name": "Sieve", "price": 0.1},
        {"title": "Spoon", "description": ""},
    ]
    response = client.post("/items/batch", json=batch)
    assert response.status_code == 200
    assert [item["title"] for item in response.json()] == ["Towel", "Sieve", "Spoon"]
    assert response.text == client.get("/items/").text


def test_a_batch_has_at_most_1000_items(client: TestClient) -> None:
    items = client.post("/items/batch", json=[{"title": str(n)} for n in range(1000)]).json()
    assert [item["title"] for item in items] == [str(n) for n in range(1000)]
    assert len({item["id"] for item in items}) == 1000
    response = client.post("/items/batch", json=[{"title": "Towel"}] * 1001)
    expect_invalid(response, ["body"])
    total = client.get("/items/?limit=1", headers={"Prefer": "count=exact"}).headers["X-Total-Count"]
    assert total == "1000"


@pytest.mark.parametrize("body", [[], {}, {"title": "Towel"}, None, "x", [[]]])
def test_an_invalid_batch_is_refused(empty_client: TestClient, body: object) -> None:
    expect_problem(empty_client.post("/items/batch", json=body), 422, "invalid-request")


def test_there_are_at_most_100_errors(empty_client: TestClient) -> None:
    expected: list[list[str | int]] = [["body", index, "title"] for index in range(100)]
    expect_invalid(empty_client.post("/items/batch", json=[{}] * 1_000), *expected)
    expect_invalid(empty_client.post("/items/batch", json=[{"title": " "}] * 1_000), *expected)


def test_errors_have_the_index_of_their_item_and_nothing_is_created(empty_client: TestClient) -> None:
    batch = [{"title": "Towel"}, {"title": ""}, {"title": "Spoon", "price": -1}]
    expect_invalid(empty_client.post("/items/batch", json=batch), ["body", 1, "title"], ["body", 2, "price"])
    batch = [{"title": "Towel"}, {"title": " "}, {"title": "Spoon"}, {"title": "a\0"}]
    expect_invalid(empty_client.post("/items/batch", json=batch), ["body", 1, "title"], ["body", 3, "title"])
    batch = [{"title": "Towel", "owner_id": 1_000_000}, {"title": "Sieve"}, {"title": "Spoon", "owner_id": 1_000_001}]
    response = empty_client.post("/items/batch", json=batch)
    expect_invalid(response, ["body", 0, "owner_id"], ["body", 2, "owner_id"])
    assert {error["msg"] for error in response.json()["errors"]} == {"User not found"}
