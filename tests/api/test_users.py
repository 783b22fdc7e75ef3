"""Signing up and reading users."""

import json
import logging

import pytest
from fastapi.testclient import TestClient

from domain.items import Item
from entrypoints.container import Container
from tests.api.problems import expect_problem

SECRET = "wubba lubba dub dub"
RICK = {"email": "rick@example.com", "password": SECRET}


def test_a_new_user_is_returned_with_all_fields_in_order(client: TestClient) -> None:
    response = client.post("/users/", json=RICK)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    id = response.json()["id"]
    assert response.text == f'{{"email":"rick@example.com","id":{id},"is_active":true,"items":[]}}'


def test_the_location_of_a_new_user_can_be_followed(client: TestClient) -> None:
    response = client.post("/users/", json=RICK)
    assert response.headers["Location"] == f"/users/{response.json()['id']}"
    followed = client.get(response.headers["Location"])
    assert (followed.status_code, followed.text) == (200, response.text)


@pytest.mark.parametrize("email", ["rick@example.com", "Rick@Example.COM", "RICK@EXAMPLE.COM", "rick@EXAMPLE.com"])
def test_an_address_is_taken_regardless_of_case(client: TestClient, email: str) -> None:
    first = client.post("/users/", json=RICK).json()
    problem = expect_problem(client.post("/users/", json=RICK | {"email": email}), 400, "email-taken")
    assert problem["detail"] == "Email already registered"
    assert client.get("/users/").json() == [first]


def test_unknown_fields_are_ignored(client: TestClient) -> None:
    more = {"id": 77, "is_active": False, "items": [{"title": "Towel"}], "hashed_password": "x", "admin": True}
    user = client.post("/users/", json=RICK | more).json()
    assert user == {"email": "rick@example.com", "id": user["id"], "is_active": True, "items": []}
    assert user["id"] != 77
    assert client.get("/items/").json() == []


def test_a_user_has_their_own_items_only(client: TestClient) -> None:
    rick, morty = (client.post("/users/", json=RICK | {"email": f"{name}@example.com"}).json() for name in "rm")
    client.post("/items/", json={"title": "of nobody"})
    items = [client.post(f"/users/{rick['id']}/items/", json={"title": str(n)}).json() for n in range(3)]
    assert client.get(f"/users/{rick['id']}").json() == rick | {"items": items}
    assert client.get(f"/users/{morty['id']}").json() == morty
    assert client.get("/users/").json() == [rick | {"items": items}, morty]


def test_a_user_embeds_their_first_100_items_and_the_list_has_the_rest(
    client: TestClient, container: Container
) -> None:
    user_id = client.post("/users/", json=RICK).json()["id"]
    with container.unit_of_work() as uow:
        for n in range(102):
            uow.items.add(Item(title=str(n), owner_id=user_id))
        uow.commit()
    user = client.get(f"/users/{user_id}").json()
    assert [item["title"] for item in user["items"]] == [str(n) for n in range(100)]
    assert client.get("/users/").json() == [user]
    rest = client.get(f"/users/{user_id}/items/", params={"after": user["items"][-1]["id"]})
    assert [item["title"] for item in rest.json()] == ["100", "101"]


@pytest.mark.parametrize("user_id", [1_000_000, 2**31, 2**63 - 1])
def test_a_user_who_does_not_exist_is_not_found(client: TestClient, user_id: int) -> None:
    responses = [
        client.get(f"/users/{user_id}"),
        client.get(f"/users/{user_id}/items/"),
        client.post(f"/users/{user_id}/items/", json={"title": "Towel"}),
        client.post("/items/", json={"title": "Towel", "owner_id": user_id}),
    ]
    for response in responses:
        assert expect_problem(response, 404, "user-not-found")["detail"] == "User not found"
    assert client.get("/items/").json() == []


def test_no_response_or_log_line_contains_a_password_or_its_hash(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    signed_up = client.post("/users/", json=RICK)
    responses = [
        signed_up,
        client.post("/users/", json=RICK),
        client.post("/users/", json=RICK | {"email": "no address"}),
        client.post("/users/", json={"email": SECRET, "password": SECRET}),
        client.post("/users/", json={"password": [SECRET]}),
        client.post("/users/", json=RICK | {"password": SECRET * 10}),
        client.post("/users/", json=SECRET),
        client.post("/users/", content=json.dumps(RICK)[:-1], headers={"Content-Type": "application/json"}),
        client.get("/users/"),
        client.get(signed_up.headers["Location"]),
    ]
    output = "\n".join([caplog.text, *(f"{response.text} {dict(response.headers)}" for response in responses)])
    assert SECRET not in output
    assert "hash" not in output
