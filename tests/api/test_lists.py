"""Every list is bounded, and its links lead to the last page."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from domain.items import Item
from domain.users import User
from entrypoints.api.app import create_app
from entrypoints.container import Container

every_list = pytest.mark.parametrize("kind", ["users", "items", "items of one user"])


def fill(container: Container, kind: str, rows: int) -> tuple[str, list[int]]:
    """The path of a list with this many rows, and their ids in order."""
    users = [User(email=f"user{n}@example.com", hashed_password="x") for n in range(rows if kind == "users" else 1)]
    with container.unit_of_work() as uow:
        for user in users:
            uow.users.add(user)
        owner = users[0].id
        items = [Item(title=str(n), owner_id=owner) for n in range(rows)]
        for item in items:
            if kind == "items of one user":
                uow.items.add(Item(title="of nobody"))
            uow.items.add(item)
        uow.commit()
    path = {"users": "/users/", "items": "/items/", "items of one user": f"/users/{owner}/items/"}[kind]
    return path, [row.id or 0 for row in (users if kind == "users" else items)]


def ids(rows: list[dict[str, Any]]) -> list[int]:
    return [row["id"] for row in rows]


@every_list
def test_a_list_without_rows_is_empty_and_has_no_next(client: TestClient, container: Container, kind: str) -> None:
    path, _ = fill(container, "items of one user", 0) if kind == "items of one user" else (f"/{kind}/", [])
    response = client.get(path)
    assert (response.status_code, response.text) == (200, "[]")
    assert response.headers["Content-Type"] == "application/json"
    assert "Link" not in response.headers


@every_list
def test_following_next_returns_every_row_once_and_ends(client: TestClient, container: Container, kind: str) -> None:
    path, expected = fill(container, kind, 7)
    for limit in (1, 3, 6):
        response = client.get(path, params={"limit": limit})
        seen = ids(response.json())
        while "next" in response.links:
            assert len(response.json()) == limit
            response = client.get(response.links["next"]["url"])
            seen += ids(response.json())
        assert seen == expected


@every_list
def test_a_list_that_ends_with_its_page_has_no_next(client: TestClient, container: Container, kind: str) -> None:
    path, expected = fill(container, kind, 7)
    for query in ("", "?limit=7", "?limit=100", "?limit=2&skip=5", f"?limit=3&after={expected[3]}"):
        assert "Link" not in client.get(path + query).headers
    for query in ("?limit=6", "?limit=2&skip=4", f"?limit=3&after={expected[2]}"):
        assert "next" in client.get(path + query).links


@every_list
def test_next_is_a_link_by_id(client: TestClient, container: Container, kind: str) -> None:
    path, expected = fill(container, kind, 7)
    link = client.get(path, params={"limit": 2, "skip": 1}).headers["Link"]
    assert link == f'<{path}?limit=2&after={expected[2]}>; rel="next"'


def test_next_has_all_other_parameters_and_stays_within_its_brackets(client: TestClient, container: Container) -> None:
    with container.unit_of_work() as uow:
        for _ in range(3):
            uow.items.add(Item(title='a>; rel="b', description="Ärger & co"))
        uow.commit()
    path = '/items/?%6Cimit=1&ti%74le=a>;%20rel="b&q=%C3%84rger+co&&sort=-id'
    links = []
    while path:
        response = client.get(path)
        assert len(response.json()) == 1
        links.append(response.headers.get("Link", ""))
        path = response.links.get("next", {}).get("url", "")
    assert len(links) == 3
    assert links[1].endswith('&ti%74le=a%3E%3B%20rel=%22b&q=%C3%84rger+co&sort=-id>; rel="next"')


PAGES = {
    "skip=0": slice(0, 7),
    "skip=3": slice(3, 7),
    "skip=2&limit=3": slice(2, 5),
    "offset=2&limit=3": slice(2, 5),
    "skip=1&offset=2": slice(1, 7),
    "skip=0&offset=2": slice(0, 7),
    "limit=007": slice(0, 7),
    "skip=7": slice(7, 7),
    f"skip={2**63 - 1}": slice(7, 7),
    f"after={2**63 - 1}": slice(7, 7),
    "after=0": slice(0, 7),
}


@every_list
def test_a_page_has_the_requested_rows(client: TestClient, container: Container, kind: str) -> None:
    path, expected = fill(container, kind, 7)
    for query, shown in PAGES.items():
        assert ids(client.get(f"{path}?{query}").json()) == expected[shown], query


@every_list
def test_after_returns_only_greater_ids_and_combines_with_skip(
    client: TestClient, container: Container, kind: str
) -> None:
    path, expected = fill(container, kind, 7)
    assert ids(client.get(path, params={"after": expected[2]}).json()) == expected[3:]
    assert ids(client.get(path, params={"after": expected[2], "skip": 1, "limit": 2}).json()) == expected[4:6]
    assert ids(client.get(path, params={"after": expected[-1]}).json()) == []


@every_list
def test_a_page_has_at_most_100_rows(client: TestClient, container: Container, kind: str) -> None:
    path, expected = fill(container, kind, 101)
    for query in ("", "?limit=100"):
        response = client.get(path + query)
        assert ids(response.json()) == expected[:100]
        assert ids(client.get(response.links["next"]["url"]).json()) == expected[100:]


@every_list
def test_unknown_parameters_are_refused_by_name(client: TestClient, container: Container, kind: str) -> None:
    path, _ = fill(container, kind, 1)
    response = client.get(path, params={"limit": 1, "colour": "red"})
    assert response.status_code == 422
    assert [error["loc"] for error in response.json()["errors"]] == [["query", "colour"]]
    assert "red" not in response.text


@every_list
def test_a_row_that_is_added_while_paging_is_on_the_last_page(
    client: TestClient, container: Container, kind: str
) -> None:
    path, expected = fill(container, kind, 3)
    first = client.get(path, params={"limit": 2})
    if kind == "users":
        late = client.post("/users/", json={"email": "late@example.com", "password": "wubbalubba"}).json()["id"]
    else:
        late = client.post(path, json={"title": "late"}).json()["id"]
    assert ids(client.get(first.links["next"]["url"]).json()) == [expected[2], late]


@every_list
def test_behind_a_proxy_links_keep_its_prefix(container: Container, kind: str) -> None:
    path, expected = fill(container, kind, 2)
    with TestClient(create_app(container), root_path="/belongings") as client:
        response = client.get(f"/belongings{path}", params={"limit": 1})
        assert response.links["next"]["url"] == f"/belongings{path}?limit=1&after={expected[0]}"
        assert ids(client.get(response.links["next"]["url"]).json()) == expected[1:]
        item = client.post("/belongings/items/", json={"title": "Towel"})
        assert item.headers["Location"] == f"/belongings/items/{item.json()['id']}"
        assert client.get(item.headers["Location"]).json() == item.json()
