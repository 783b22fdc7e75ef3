"""Changing and deleting users and items."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from entrypoints.container import Container
from tests.api.problems import expect_invalid, expect_problem

SECRET = "wubba lubba dub dub"


@pytest.fixture
def rick(client: TestClient) -> dict[str, Any]:
    user: dict[str, Any] = client.post("/users/", json={"email": "rick@example.com", "password": SECRET}).json()
    return user


@pytest.fixture
def towel(client: TestClient, rick: dict[str, Any]) -> dict[str, Any]:
    whole = {"title": "Towel", "description": "Big", "price": 42.5}
    item: dict[str, Any] = client.post(f"/users/{rick['id']}/items/", json=whole).json()
    return item


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"title": "Sieve"},
        {"description": None},
        {"price": 0.1},
        {"price": None},
        {"owner_id": None},
        {"title": "Sieve", "description": "Small", "price": 1, "owner_id": None},
    ],
)
def test_a_patch_changes_the_given_fields_only(
    client: TestClient, towel: dict[str, Any], changes: dict[str, Any]
) -> None:
    response = client.patch(f"/items/{towel['id']}", json=changes)
    assert response.status_code == 200
    assert response.json() == towel | changes
    assert client.get(f"/items/{towel['id']}").text == response.text


def test_name_is_an_alias_of_title_in_a_patch(client: TestClient, towel: dict[str, Any]) -> None:
    assert client.patch(f"/items/{towel['id']}", json={"name": "Sieve"}).json() == towel | {"title": "Sieve"}


def test_the_owner_of_an_item_can_be_changed(client: TestClient, rick: dict[str, Any], towel: dict[str, Any]) -> None:
    morty = client.post("/users/", json={"email": "morty@example.com", "password": SECRET}).json()
    moved = client.patch(f"/items/{towel['id']}", json={"owner_id": morty["id"]}).json()
    assert client.get(f"/users/{morty['id']}").json() == morty | {"items": [moved]}
    assert client.get(f"/users/{rick['id']}").json() == rick


@pytest.mark.parametrize(
    ("path", "member", "value"),
    [
        ("/items/1", "title", "a\x00b"),
        ("/items/1", "title", " "),
        ("/items/1", "title", "a" + "\u0301" * 31),
        ("/items/1", "description", "\x00"),
        ("/items/1", "price", 0.001),
        ("/users/1", "email", f"{'ß' * 127}@example.com"),  # too long after case folding
        ("/users/1", "password", "correct\x00horse"),
    ],
)
def test_an_invalid_value_is_refused_before_existence_and_preconditions_are_checked(
    empty_client: TestClient, path: str, member: str, value: object
) -> None:
    for headers in ({}, {"If-Match": '"stale"'}):
        expect_invalid(empty_client.patch(path, json={member: value}, headers=headers), ["body", member])


def test_the_new_owner_of_an_item_must_exist(client: TestClient, towel: dict[str, Any]) -> None:
    response = client.patch(f"/items/{towel['id']}", json={"title": "Sieve", "owner_id": 1_000_000})
    assert expect_problem(response, 404, "user-not-found")["detail"] == "User not found"
    assert client.get(f"/items/{towel['id']}").json() == towel


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", None),
        ("title", " "),
        ("title", "x" * 256),
        ("price", -1),
        ("price", 0.001),
        ("price", "1"),
        ("owner_id", 0),
        ("owner_id", "1"),
        ("description", "\x00"),
        ("description", 1),
    ],
)
def test_an_invalid_patch_of_an_item_changes_nothing(
    client: TestClient, towel: dict[str, Any], field: str, value: object
) -> None:
    response = client.patch(f"/items/{towel['id']}", json={"description": "Small"} | {field: value})
    expect_invalid(response, ["body", field])
    assert client.get(f"/items/{towel['id']}").json() == towel


def test_the_fields_of_a_user_can_be_changed_one_by_one(
    client: TestClient, container: Container, rick: dict[str, Any], towel: dict[str, Any]
) -> None:
    path = f"/users/{rick['id']}"
    with container.unit_of_work() as uow:
        old = uow.users.get(rick["id"]).hashed_password
    for changes in ({"email": "Rick@example.org"}, {"is_active": False}, {"email": "rick@EXAMPLE.com"}, {}):
        rick |= changes
        response = client.patch(path, json=changes)
        assert response.json() == rick | {"email": response.json()["email"], "items": [towel]}
        assert response.json()["email"].lower() == rick["email"].lower()
        assert client.get(path).text == response.text
    response = client.patch(path, json={"password": "another one"})
    assert "another" not in response.text
    with container.unit_of_work() as uow:
        assert uow.users.get(rick["id"]).hashed_password != old


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", None),
        ("email", "rick"),
        ("password", None),
        ("password", ""),
        ("is_active", None),
        ("is_active", "true"),
        ("is_active", 1),
    ],
)
def test_an_invalid_patch_of_a_user_changes_nothing(
    client: TestClient, rick: dict[str, Any], field: str, value: object
) -> None:
    expect_invalid(client.patch(f"/users/{rick['id']}", json={field: value}), ["body", field])
    assert client.get(f"/users/{rick['id']}").json() == rick


def test_a_user_cannot_take_the_address_of_another(client: TestClient, rick: dict[str, Any]) -> None:
    morty = client.post("/users/", json={"email": "morty@example.com", "password": SECRET}).json()
    response = client.patch(f"/users/{morty['id']}", json={"email": "RICK@example.com", "is_active": False})
    assert expect_problem(response, 400, "email-taken")["detail"] == "Email already registered"
    assert client.get("/users/").json() == [rick, morty]


def test_a_deleted_user_is_gone_with_all_their_items(
    client: TestClient, rick: dict[str, Any], towel: dict[str, Any]
) -> None:
    other = client.post("/items/", json={"title": "of nobody"}).json()
    response = client.delete(f"/users/{rick['id']}")
    assert (response.status_code, response.json()) == (200, {"ok": True})
    expect_problem(client.get(f"/users/{rick['id']}"), 404, "user-not-found")
    expect_problem(client.get(f"/users/{rick['id']}/items/"), 404, "user-not-found")
    expect_problem(client.get(f"/items/{towel['id']}"), 404, "item-not-found")
    assert client.get("/items/").json() == [other]
    assert client.post("/users/", json={"email": rick["email"], "password": SECRET}).json()["id"] > rick["id"]


def test_a_deleted_item_is_gone(client: TestClient, rick: dict[str, Any], towel: dict[str, Any]) -> None:
    response = client.delete(f"/items/{towel['id']}")
    assert (response.status_code, response.json()) == (200, {"ok": True})
    expect_problem(client.get(f"/items/{towel['id']}"), 404, "item-not-found")
    assert client.get(f"/users/{rick['id']}").json() == rick


@pytest.mark.parametrize(("kind", "changes"), [("user", {"is_active": False}), ("item", {"title": "Sieve"})])
def test_changing_or_deleting_a_missing_resource_is_a_404(
    client: TestClient, kind: str, changes: dict[str, object]
) -> None:
    for response in (client.patch(f"/{kind}s/77", json=changes), client.delete(f"/{kind}s/77")):
        expect_problem(response, 404, f"{kind}-not-found")
