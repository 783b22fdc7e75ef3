"""Creating and reading items."""

import pytest
from fastapi.testclient import TestClient

from tests.api.problems import expect_problem


@pytest.fixture
def user_id(client: TestClient) -> int:
    response = client.post("/users/", json={"email": "rick@example.com", "password": "wubbalubba"})
    return int(response.json()["id"])


def test_a_new_item_is_returned_with_all_fields_in_order(client: TestClient, user_id: int) -> None:
    whole = {"title": "Towel", "description": "Big", "price": 42.5}
    response = client.post(f"/users/{user_id}/items/", json=whole)
    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/json")
    id = response.json()["id"]
    shown = f'{{"title":"Towel","description":"Big","price":42.5,"id":{id},"owner_id":{user_id}}}'
    assert response.text == shown
    assert client.get(f"/items/{id}").text == shown
    assert client.get("/items/").text == f"[{shown}]"
    assert client.get(f"/users/{user_id}/items/").text == f"[{shown}]"


def test_only_the_title_is_required(client: TestClient) -> None:
    response = client.post("/items/", json={"title": "Towel"})
    assert response.status_code == 200
    assert response.text == (
        f'{{"title":"Towel","description":null,"price":null,"id":{response.json()["id"]},"owner_id":null}}'
    )


def test_null_means_the_same_as_a_missing_field(client: TestClient) -> None:
    item = client.post("/items/", json={"title": "Towel", "description": None, "price": None, "owner_id": None}).json()
    assert item == {"title": "Towel", "description": None, "price": None, "id": item["id"], "owner_id": None}


def test_the_location_of_a_new_item_can_be_followed(client: TestClient, user_id: int) -> None:
    for path in ("/items/", f"/users/{user_id}/items/"):
        response = client.post(path, json={"title": "Towel"})
        assert response.headers["Location"] == f"/items/{response.json()['id']}"
        followed = client.get(response.headers["Location"])
        assert (followed.status_code, followed.text) == (200, response.text)


def test_an_item_with_an_owner_can_be_created_by_either_path(client: TestClient, user_id: int) -> None:
    one = client.post("/items/", json={"title": "one", "owner_id": user_id}).json()
    two = client.post(f"/users/{user_id}/items/", json={"title": "two"}).json()
    assert (one["owner_id"], two["owner_id"]) == (user_id, user_id)
    assert client.get(f"/users/{user_id}/items/").json() == [one, two]


def test_the_owner_in_the_path_wins_over_the_body(client: TestClient, user_id: int) -> None:
    item = client.post(f"/users/{user_id}/items/", json={"title": "Towel", "owner_id": user_id + 1, "id": 77}).json()
    assert item["owner_id"] == user_id
    assert item["id"] != 77


def test_name_is_an_alias_of_title(client: TestClient, user_id: int) -> None:
    for path in ("/items/", f"/users/{user_id}/items/"):
        assert client.post(path, json={"name": "Towel"}).json()["title"] == "Towel"
        assert client.post(path, json={"name": "Sieve", "title": "Towel"}).json()["title"] == "Towel"


@pytest.mark.parametrize("item_id", [1_000_000, 2**31, 2**63 - 1])
def test_an_item_that_does_not_exist_is_not_found(client: TestClient, item_id: int) -> None:
    problem = expect_problem(client.get(f"/items/{item_id}"), 404, "item-not-found")
    assert problem["detail"] == "Item not found"


def test_a_refused_item_is_not_stored_and_the_next_one_is(client: TestClient, user_id: int) -> None:
    expect_problem(client.post("/items/", json={"title": "Towel", "owner_id": user_id + 1}), 404, "user-not-found")
    expect_problem(client.post(f"/users/{user_id + 1}/items/", json={"title": "Towel"}), 404, "user-not-found")
    assert client.get("/items/").json() == []
    kept = client.post(f"/users/{user_id}/items/", json={"title": "Towel"}).json()
    assert client.get("/items/").json() == [kept]
