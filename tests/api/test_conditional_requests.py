"""``ETag``, ``If-None-Match`` and ``If-Match`` (RFC 9110 §13)."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.problems import expect_problem

CHANGES: dict[str, dict[str, object]] = {"users": {"is_active": False}, "items": {"title": "Sieve"}}
every_kind = pytest.mark.parametrize("kind", ["users", "items"])
MALFORMED_LISTS = [
    "{tag}junk",
    "junk{tag}",
    '"x, {tag}, y"',
    '{tag} "x"',
    "{tag}, x",
    '"x", *',
    '"a b", {tag}',
    "{tag}, *",
    "w/{tag}",
    "{tag}\xa0",
]
"""Malformed lists of entity tags, although each contains the current one."""

LISTS = ["{tag}", '"x", {tag}', ' "x" ,{tag}, W/"y"', ", ,{tag}\t,,", '"a,b",{tag}']


@pytest.fixture
def paths(client: TestClient) -> dict[str, str]:
    """The paths of a user and of an item of theirs."""
    user = client.post("/users/", json={"email": "rick@example.com", "password": "wubbalubba"})
    item = client.post(f"{user.headers['Location']}/items/", json={"title": "Towel", "price": 0.1})
    return {"users": user.headers["Location"], "items": item.headers["Location"]}


@every_kind
def test_the_tag_changes_when_the_representation_does(client: TestClient, paths: dict[str, str], kind: str) -> None:
    first, again = client.get(paths[kind]), client.get(paths[kind])
    assert first.headers["ETag"] == again.headers["ETag"]
    assert first.headers["ETag"].startswith('"')
    changed = client.patch(paths[kind], json=CHANGES[kind])
    assert changed.headers["ETag"] == client.get(paths[kind]).headers["ETag"] != first.headers["ETag"]


def test_a_new_resource_has_the_same_tag_as_when_it_is_read(client: TestClient) -> None:
    for path, body in (
        ("/users/", {"email": "morty@example.com", "password": "wubbalubba"}),
        ("/items/", {"title": "Towel", "price": 42.5}),
    ):
        made = client.post(path, json=body)
        assert made.headers["ETag"] == client.get(made.headers["Location"]).headers["ETag"]


def test_the_tag_of_a_user_changes_with_their_items(client: TestClient, paths: dict[str, str]) -> None:
    tags = [client.get(paths["users"]).headers["ETag"]]
    client.patch(paths["items"], json={"price": None})
    tags.append(client.get(paths["users"]).headers["ETag"])
    client.post(f"{paths['users']}/items/", json={"title": "Sieve"})
    tags.append(client.get(paths["users"]).headers["ETag"])
    client.delete(paths["items"])
    tags.append(client.get(paths["users"]).headers["ETag"])
    assert len(set(tags)) == 4


@every_kind
@pytest.mark.parametrize("given", [*LISTS, "W/{tag}", "*", " *\t"])
def test_a_current_representation_is_not_sent_again(
    client: TestClient, paths: dict[str, str], kind: str, given: str
) -> None:
    tag = client.get(paths[kind]).headers["ETag"]
    for method in ("GET", "HEAD"):
        response = client.request(method, paths[kind], headers={"If-None-Match": given.format(tag=tag)})
        assert (response.status_code, response.content, response.headers["ETag"]) == (304, b"", tag)
        assert "Content-Type" not in response.headers


@every_kind
@pytest.mark.parametrize("given", ['"x"', "nonsense", "", *MALFORMED_LISTS])
def test_a_representation_that_the_client_does_not_have_is_sent(
    client: TestClient, paths: dict[str, str], kind: str, given: str
) -> None:
    tag = client.get(paths[kind]).headers["ETag"]
    headers = [(b"If-None-Match", given.format(tag=tag).encode("latin-1"))]
    assert client.get(paths[kind], headers=headers).status_code == 200


@every_kind
def test_tags_can_be_in_several_header_lines(client: TestClient, paths: dict[str, str], kind: str) -> None:
    tag = client.get(paths[kind]).headers["ETag"]
    headers = [("If-None-Match", '"x"'), ("If-None-Match", tag)]
    assert client.get(paths[kind], headers=headers).status_code == 304
    headers = [("If-Match", '"x"'), ("If-Match", tag)]
    assert client.patch(paths[kind], json=CHANGES[kind], headers=headers).status_code == 200
    headers = [("If-Match", client.get(paths[kind]).headers["ETag"]), ("If-Match", "nonsense")]
    expect_problem(client.delete(paths[kind], headers=headers), 412, "changed-meanwhile")


@every_kind
def test_a_resource_that_has_changed_is_not_overwritten(client: TestClient, paths: dict[str, str], kind: str) -> None:
    seen = client.get(paths[kind]).headers["ETag"]
    client.patch(paths[kind], json=CHANGES[kind])
    now = client.get(paths[kind])
    for method, body in (("PATCH", CHANGES[kind]), ("DELETE", None)):
        for stale in (seen, '"x"', "W/{tag}", "nonsense", "", *MALFORMED_LISTS):
            given = stale.format(tag=now.headers["ETag"]).encode("latin-1")
            response = client.request(method, paths[kind], json=body, headers=[(b"If-Match", given)])
            expect_problem(response, 412, "changed-meanwhile")
    assert client.get(paths[kind]).text == now.text


@every_kind
@pytest.mark.parametrize("given", [*LISTS, "*", " *\t"])
def test_a_resource_that_has_not_changed_can_be_changed_and_deleted(
    client: TestClient, paths: dict[str, str], kind: str, given: str
) -> None:
    tag = client.get(paths[kind]).headers["ETag"]
    changed = client.patch(paths[kind], json=CHANGES[kind], headers={"If-Match": given.format(tag=tag)})
    assert changed.status_code == 200
    tag = changed.headers["ETag"]
    assert client.delete(paths[kind], headers={"If-Match": given.format(tag=tag)}).status_code == 200


@every_kind
def test_a_condition_on_a_missing_resource_is_a_404(client: TestClient, kind: str) -> None:
    for method, body in (("PATCH", CHANGES[kind]), ("DELETE", None)):
        response = client.request(method, f"/{kind}/77", json=body, headers={"If-Match": "*", "If-None-Match": "*"})
        expect_problem(response, 404, f"{kind[:-1]}-not-found")


@every_kind
@pytest.mark.parametrize("given", [*LISTS, "W/{tag}", "*"])
def test_if_none_match_refuses_a_change_of_a_listed_representation(
    client: TestClient, paths: dict[str, str], kind: str, given: str
) -> None:
    before = client.get(paths[kind])
    tag = before.headers["ETag"]
    for method, body in (("PATCH", CHANGES[kind]), ("DELETE", None)):
        for more in ({}, {"If-Match": tag}):
            headers = {"If-None-Match": given.format(tag=tag)} | more
            expect_problem(client.request(method, paths[kind], json=body, headers=headers), 412, "changed-meanwhile")
    assert client.get(paths[kind]).text == before.text


@every_kind
@pytest.mark.parametrize("given", ['"x"', "nonsense", "", *MALFORMED_LISTS])
def test_if_none_match_allows_a_change_of_any_other_representation(
    client: TestClient, paths: dict[str, str], kind: str, given: str
) -> None:
    tag = client.get(paths[kind]).headers["ETag"]
    headers = [(b"If-None-Match", given.format(tag=tag).encode("latin-1"))]
    assert client.delete(paths[kind], headers=headers).status_code == 200


@every_kind
def test_a_get_with_if_match_of_a_changed_resource_is_a_412(
    client: TestClient, paths: dict[str, str], kind: str
) -> None:
    tag = client.get(paths[kind]).headers["ETag"]
    for stale in ({"If-Match": '"x"'}, {"If-Match": f"W/{tag}"}, {"If-Match": '"x"', "If-None-Match": tag}):
        expect_problem(client.get(paths[kind], headers=stale), 412, "changed-meanwhile")
        assert client.head(paths[kind], headers=stale).status_code == 412
    for current in (tag, "*"):
        assert client.get(paths[kind], headers={"If-Match": current}).status_code == 200
        assert client.get(paths[kind], headers={"If-Match": current, "If-None-Match": tag}).status_code == 304


def test_a_user_with_new_items_has_changed(client: TestClient, paths: dict[str, str]) -> None:
    seen = {"If-Match": client.get(paths["users"]).headers["ETag"]}
    client.post(f"{paths['users']}/items/", json={"title": "Sieve"})
    expect_problem(client.delete(paths["users"], headers=seen), 412, "changed-meanwhile")
    user: dict[str, Any] = client.get(paths["users"]).json()
    assert len(user["items"]) == 2
