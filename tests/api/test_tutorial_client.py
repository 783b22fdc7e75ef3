"""A client written for the FastAPI tutorial on SQL databases."""

import pytest
from fastapi.testclient import TestClient

RICK = {"email": "rick@example.com", "password": "wubbalubba"}


def test_it_passes_the_tests_that_fastapi_has_for_the_tutorial(client: TestClient) -> None:
    """The same requests and expectations, except for the OpenAPI document."""
    john = {"email": "johndoe@example.com", "password": "secret"}
    foo = {"title": "Foo", "description": "Something that fights"}

    signed_up = client.post("/users/", json=john)
    assert signed_up.status_code == 200, signed_up.text
    user = signed_up.json()
    assert user["email"] == john["email"]
    assert client.post("/users/", json=john).status_code == 400

    path = f"/users/{user['id']}"
    read = client.get(path)
    assert read.status_code == 200, read.text
    assert {"email", "id"} <= read.json().keys()
    assert client.get("/users/123456").status_code == 404

    everybody = client.get("/users/")
    assert everybody.status_code == 200, everybody.text
    assert {"email", "id"} <= everybody.json()[0].keys()

    made = client.post(f"{path}/items/", json=foo)
    assert made.status_code == 200, made.text
    item = made.json()
    assert foo.items() <= item.items()
    assert {"id", "owner_id"} <= item.keys()
    (owned,) = (each for each in client.get(path).json()["items"] if each["id"] == item["id"])
    assert foo.items() <= owned.items()

    everything = client.get("/items/")
    assert everything.status_code == 200, everything.text
    assert {"title", "description"} <= everything.json()[0].keys()


@pytest.mark.parametrize("password", ["s", "secret", "p" * 128])
def test_it_can_choose_a_short_password(client: TestClient, password: str) -> None:
    response = client.post("/users/", json=RICK | {"password": password})
    assert response.status_code == 200, response.text


def test_it_signs_a_user_up_and_reads_them_back(client: TestClient) -> None:
    response = client.post("/users/", json=RICK)
    assert response.status_code == 200, response.text
    user = response.json()
    assert user["email"] == "rick@example.com"
    assert (user["is_active"], user["items"]) == (True, [])
    assert "password" not in user
    assert client.get(f"/users/{user['id']}").json() == user


def test_it_gets_an_error_for_an_address_that_is_taken(client: TestClient) -> None:
    client.post("/users/", json=RICK)
    response = client.post("/users/", json=RICK)
    assert response.status_code == 400, response.text
    assert response.json()["detail"] == "Email already registered"


def test_it_gets_a_404_for_an_unknown_user(client: TestClient) -> None:
    response = client.get("/users/123456")
    assert response.status_code == 404, response.text
    assert response.json()["detail"] == "User not found"


def test_it_creates_an_item_for_a_user_and_finds_it_in_every_list(client: TestClient) -> None:
    user_id = client.post("/users/", json=RICK).json()["id"]
    response = client.post(f"/users/{user_id}/items/", json={"title": "Portal gun", "description": "Slightly used"})
    assert response.status_code == 200, response.text
    item = response.json()
    assert (item["title"], item["description"], item["owner_id"]) == ("Portal gun", "Slightly used", user_id)
    assert "id" in item
    assert client.get("/items/").json() == [item]
    assert client.get(f"/users/{user_id}").json()["items"] == [item]
    assert client.get("/users/").json()[0]["items"] == [item]


def test_it_can_create_an_item_without_a_description(client: TestClient) -> None:
    user_id = client.post("/users/", json=RICK).json()["id"]
    item = client.post(f"/users/{user_id}/items/", json={"title": "Portal gun"}).json()
    assert item["description"] is None


def test_it_pages_with_skip_and_limit(client: TestClient) -> None:
    users = [client.post("/users/", json=RICK | {"email": f"rick{n}@example.com"}).json() for n in range(4)]
    items = [client.post(f"/users/{users[0]['id']}/items/", json={"title": str(n)}).json() for n in range(4)]
    assert client.get("/users/", params={"skip": 1, "limit": 2}).json() == users[1:3]
    assert client.get("/items/", params={"skip": 1, "limit": 2}).json() == items[1:3]
    assert client.get("/items/", params={"skip": 0, "limit": 100}).json() == items


def test_it_pages_with_offset_as_later_tutorials_do(client: TestClient) -> None:
    items = [client.post("/items/", json={"title": str(n)}).json() for n in range(4)]
    assert client.get("/items/", params={"offset": 1, "limit": 2}).json() == items[1:3]
    assert client.get("/items/", params={"offset": 3}).json() == items[3:]


def test_it_creates_an_item_without_an_owner_by_name_and_price(client: TestClient) -> None:
    response = client.post("/items/", json={"name": "Towel", "description": "Big", "price": 35.4})
    assert response.status_code == 200, response.text
    item = response.json()
    assert (item["title"], item["description"], item["price"]) == ("Towel", "Big", 35.4)
    assert client.get(f"/items/{item['id']}").json() == item


def test_it_gets_a_404_for_an_unknown_item(client: TestClient) -> None:
    response = client.get("/items/123456")
    assert response.status_code == 404, response.text
    assert response.json()["detail"] == "Item not found"
