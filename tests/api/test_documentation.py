"""The OpenAPI document, and documentation pages that work offline."""

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from typing import Annotated, Any

import pytest
from fastapi import FastAPI, Query
from fastapi.testclient import TestClient
from jsonschema_rs import Draft202012Validator
from pydantic import SecretStr

from adapters.sql.mapping.tables import ENTITIES
from domain.errors import BelongingsError, ItemNotFound
from entrypoints.api import documentation_pages
from entrypoints.api.app import create_app
from entrypoints.api.http.openapi import problems
from entrypoints.api.http.problems import problem_types, status_of
from entrypoints.container import build_container
from entrypoints.settings import Settings
from service_layer.aggregates import AnyAggregate
from service_layer.read_models import ID_MAX
from tests.api.problems import expect_invalid


@pytest.fixture
def client() -> Iterator[TestClient]:
    """A client of an API with a minimum password length of 12."""
    container = build_container(Settings(database_url=SecretStr("memory://"), password_min_length=12))
    with TestClient(create_app(container)) as client:
        yield client


@pytest.fixture
def document(client: TestClient) -> dict[str, Any]:
    response = client.get("/openapi.json")
    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/json")
    document: dict[str, Any] = response.json()
    return document


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(path, operation) for path, methods in document["paths"].items() for operation in methods.values()]


UNNAMED = {"about:blank"}
DATABASE = {"503": {"database-unavailable", "about:blank"}, "507": {"storage-full"}, "421": UNNAMED}
EVERY = {"431": UNNAMED, "500": UNNAMED}
CHANGE = {"503": DATABASE["503"] | {"outcome-unknown"}, "403": UNNAMED}
BODY = dict.fromkeys(("400", "408", "413", "415"), UNNAMED)
PARAMETERS = {"422": {"invalid-request"}}
IDEMPOTENT = {"409": {"idempotency-key-in-use"}, "422": {"invalid-request", "idempotency-key-reused"}}
CONDITIONAL = {"412": {"changed-meanwhile"}}
NO_USER = {"404": {"user-not-found"}}
EMAIL_TAKEN = {"400": {"email-taken", "about:blank"}}
LIMITED = {"429": UNNAMED}
READ = EVERY | DATABASE | PARAMETERS
WRITE = READ | CHANGE


def named(*errors: type[BelongingsError]) -> dict[str, set[str]]:
    return {str(status_of(error)[0]): {status_of(each)[1] for each in errors} for error in errors}


def expected_problems(aggregate: AnyAggregate) -> dict[str, dict[str, set[str]]]:
    name, own = aggregate.singular, named(aggregate.not_found)
    missing = [each.not_found for each in aggregate.references.values()]
    taken = named(*aggregate.unique.values())
    conflict = {"409": IDEMPOTENT["409"] | taken.get("409", set())}
    return {
        f"list_{aggregate.name}": READ,
        f"create_{name}": WRITE | BODY | IDEMPOTENT | named(*missing) | taken | conflict,
        f"read_{name}": READ | CONDITIONAL | own,
        f"update_{name}": WRITE | BODY | CONDITIONAL | taken | named(aggregate.not_found, *missing),
        f"delete_{name}": WRITE | CONDITIONAL | own,
    }


PROBLEMS = {
    "live": EVERY,
    "ready": EVERY | {"503": {"database-unavailable", "schema-mismatch"}},
    **{name: types for aggregate in ENTITIES.values() for name, types in expected_problems(aggregate).items()},
    "create_user": WRITE | BODY | IDEMPOTENT | EMAIL_TAKEN | LIMITED,
    "update_user": WRITE | BODY | CONDITIONAL | NO_USER | EMAIL_TAKEN | LIMITED,
    "list_user_items": READ | NO_USER,
    "create_user_item": WRITE | BODY | IDEMPOTENT | NO_USER,
    "create_items": WRITE | BODY | IDEMPOTENT,
}
"""By operation: the problem types of each status. Operations that every aggregate has follow from its declaration."""


def test_each_status_has_the_problem_types_that_it_can_have_and_no_others(document: dict[str, Any]) -> None:
    for _, operation in operations(document):
        assert operation["operationId"] in PROBLEMS, f"say in {__file__} which problems {operation['operationId']} has"
        found = {
            status: set(response["content"]["application/problem+json"]["examples"])
            for status, response in operation["responses"].items()
            if status >= "400"
        }
        assert found == PROBLEMS[operation["operationId"]], operation["operationId"]


def test_the_description_of_a_response_names_its_problem_types(document: dict[str, Any]) -> None:
    for _, operation in operations(document):
        for response in operation["responses"].values():
            examples = response.get("content", {}).get("application/problem+json", {}).get("examples", {})
            for name in examples.keys() - {"about:blank"}:
                assert f"`{name}`: " in response["description"], operation["operationId"]


def test_problem_types_are_an_enum_that_can_be_extended(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["Problem"]["properties"]["type"] == {"$ref": "#/components/schemas/ProblemType"}
    known, any_other = schemas["ProblemType"]["anyOf"]
    assert known == {"$ref": "#/components/schemas/KnownProblemType"}
    assert any_other == {"type": "string", "format": "uri"}
    assert set(schemas["KnownProblemType"]["enum"]) == problem_types()


def test_the_api_has_a_contact_a_licence_a_server_and_no_security(document: dict[str, Any]) -> None:
    assert document["info"]["contact"] == {"name": "The Belongings developers"}
    assert document["info"]["license"] == {"name": "MIT", "identifier": "MIT"}
    assert (document["servers"], document["security"]) == ([{"url": "/"}], [])


def test_the_server_is_the_root_path(client: TestClient) -> None:
    settings = Settings(database_url=SecretStr("memory://"), root_path="/belongings")
    behind_a_proxy = TestClient(create_app(build_container(settings)), root_path="/belongings")
    assert behind_a_proxy.get("/belongings/openapi.json").json()["servers"] == [{"url": "/belongings"}]


def test_only_the_paths_of_the_tutorials_end_with_a_slash(document: dict[str, Any]) -> None:
    with_slash = {path for path in document["paths"] if path.endswith("/")}
    assert with_slash == {"/users/{user_id}/items/", *(f"/{aggregate.name}/" for aggregate in ENTITIES.values())}


def test_every_tag_has_a_description(document: dict[str, Any]) -> None:
    described = {tag["name"] for tag in document["tags"] if tag["description"]}
    assert {tag for _, operation in operations(document) for tag in operation["tags"]} == described


def test_a_tag_that_nobody_described_is_described_by_its_name() -> None:
    app = create_app(build_container(Settings(database_url=SecretStr("memory://"))))
    app.add_api_route("/heroes/", lambda: None, tags=["heroes"])
    assert app.openapi()["tags"][-1] == {"name": "heroes", "description": "Heroes."}


def test_every_response_has_a_request_id(document: dict[str, Any]) -> None:
    for _, operation in operations(document):
        assert all("X-Request-ID" in response["headers"] for response in operation["responses"].values())


def test_headers_have_their_usual_spelling(document: dict[str, Any]) -> None:
    parameters = [each for _, operation in operations(document) for each in operation.get("parameters", [])]
    names = {each["name"] for each in parameters if each["in"] == "header"}
    assert names == {"Idempotency-Key", "If-Match", "If-None-Match", "Prefer"}


def numbers(part: Any) -> Iterator[dict[str, Any]]:
    """All schemas of numbers in a document."""
    if isinstance(part, dict):
        if part.get("type") in ("integer", "number"):
            yield part
        part = list(part.values())
    for each in part if isinstance(part, list) else ():
        yield from numbers(each)


def test_numbers_have_a_format(document: dict[str, Any]) -> None:
    for schema in numbers(document):
        if schema["type"] == "number":
            assert schema["format"] == "double"
        elif "maximum" in schema:
            is_short = schema["minimum"] >= -(2**31) and schema["maximum"] < 2**31
            assert schema["format"] == ("int32" if is_short else "int64")
    assert document["components"]["schemas"]["Item"]["properties"]["id"]["format"] == "int64"


@pytest.mark.parametrize("kind", ["ItemCreate", "UserItemCreate"])
def test_a_new_item_has_a_title_or_a_name(document: dict[str, Any], kind: str) -> None:
    validator = Draft202012Validator(document["components"]["schemas"][kind])
    for valid in ({"title": "Towel"}, {"name": "Towel"}, {"title": "Towel", "name": "Cloth", "price": 1}):
        assert validator.is_valid(valid)
    for invalid in ({}, {"price": 1}, {"name": ""}, {"title": None}):
        assert not validator.is_valid(invalid)


def test_a_title_can_be_changed_by_either_name(document: dict[str, Any]) -> None:
    validator = Draft202012Validator(document["components"]["schemas"]["ItemUpdate"])
    assert all(validator.is_valid(valid) for valid in ({}, {"title": "Towel"}, {"name": "Towel"}))
    assert not validator.is_valid({"name": ""})


def test_bounds_of_64_bits_are_published_exactly() -> None:
    app = create_app(build_container(Settings(database_url=SecretStr("memory://"))))

    @app.get("/later")
    def later(number: Annotated[int, Query(ge=-ID_MAX, le=5)]) -> None:
        pass

    (parameter,) = app.openapi()["paths"]["/later"]["get"]["parameters"]
    assert parameter["schema"] == {"type": "integer", "format": "int64", "minimum": -ID_MAX, "maximum": 5}
    assert type(parameter["schema"]["minimum"]) is int


def test_routes_that_are_added_later_are_documented_alike(client: TestClient) -> None:
    assert isinstance(client.app, FastAPI)
    client.app.openapi()

    assert "/later" not in client.get("/openapi.json").json()["paths"]

    @client.app.get("/later", responses=problems(ItemNotFound))
    def later() -> None:
        pass

    responses = client.get("/openapi.json").json()["paths"]["/later"]["get"]["responses"]
    assert "X-Request-ID" in responses["200"]["headers"]
    assert list(responses["404"]["content"]) == ["application/problem+json"]


def test_the_document_is_encoded_once(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = client.get("/openapi.json").content
    monkeypatch.setattr(documentation_pages, "JSONResponse", None)
    assert client.get("/openapi.json").content == expected


def test_problems_have_their_media_type_and_nothing_else_has(document: dict[str, Any]) -> None:
    for _, operation in operations(document):
        for status, response in operation["responses"].items():
            media_type = "application/problem+json" if status >= "400" else "application/json"
            expected = [] if status == "304" else [media_type]
            assert list(response.get("content", [])) == expected, operation["operationId"]


def test_a_503_has_retry_after(document: dict[str, Any]) -> None:
    for path, operation in operations(document):
        if path != "/health/live":
            assert "Retry-After" in operation["responses"]["503"]["headers"]


def test_new_resources_have_a_location_and_lists_a_link(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        if path.endswith("/"):
            assert "Location" in methods["post"]["responses"]["200"]["headers"]
            assert "Link" in methods["get"]["responses"]["200"]["headers"]


def test_fastapis_own_errors_are_not_mentioned(document: dict[str, Any]) -> None:
    assert not {"HTTPValidationError", "ValidationError"} & document["components"]["schemas"].keys()
    assert "HTTPValidationError" not in json.dumps(document)


def test_operation_ids_are_short_and_unique(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, operation in operations(document)]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[a-z][a-z0-9_]{,39}", id) for id in ids)


def test_every_operation_has_a_description(document: dict[str, Any]) -> None:
    assert all(operation["description"].endswith(".") for _, operation in operations(document))


def test_bounds_are_published_exactly(document: dict[str, Any]) -> None:
    bounds = {"limit": (1, 100)} | dict.fromkeys(["skip", "offset", "after"], (0, ID_MAX))
    found = set()
    for _, operation in operations(document):
        for parameter in operation.get("parameters", []):
            whole = parameter["schema"].get("anyOf", [parameter["schema"]])[0]
            if whole.get("type") == "integer":
                name = parameter["name"]
                found.add(name)
                least, most = whole.get("minimum"), whole.get("maximum")
                assert (type(least), type(most)) == (int, int), f"{name}: give it bounds, such as whole(0, 200)"
                if name in bounds or name.endswith("_id"):
                    assert (least, most) == bounds.get(name, (1, ID_MAX)), name
    assert found >= {*bounds, "owner_id", "user_id", "item_id"}


def test_optional_query_parameters_are_not_nullable(document: dict[str, Any]) -> None:
    for _, operation in operations(document):
        for parameter in operation.get("parameters", []):
            assert "null" not in json.dumps(parameter["schema"]).replace('"const": "null"', ""), parameter["name"]
            assert parameter["description"], parameter["name"]


def test_ids_in_bodies_are_published_with_their_exact_bounds(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for name, member in (("User", "id"), ("Item", "id"), ("Item", "owner_id"), ("ItemCreate", "owner_id")):
        schema = schemas[name]["properties"][member]
        whole = schema.get("anyOf", [schema])[0]
        assert (whole.get("minimum"), whole.get("maximum")) == (1, ID_MAX), f"{name}.{member}"
        assert isinstance(whole["maximum"], int), f"{name}.{member}"


def test_the_pattern_of_a_title_means_the_same_in_every_dialect(document: dict[str, Any]) -> None:
    pattern = document["components"]["schemas"]["ItemCreate"]["properties"]["title"]["pattern"]
    assert r"\s" not in pattern  # ECMAScript's leaves out U+001C to U+001F and U+0085, which Python strips
    for character in map(chr, range(0x110000)):
        assert bool(re.search(pattern, character)) != (character.isspace() or character == "\0"), character


def test_the_minimum_length_of_a_password_is_the_configured_one(client: TestClient, document: dict[str, Any]) -> None:
    assert document["components"]["schemas"]["UserCreate"]["properties"]["password"]["minLength"] == 12
    assert client.get("/openapi.json").json() == document
    response = client.post("/users/", json={"email": "rick@example.com", "password": "x" * 11})
    expect_invalid(response, ["body", "password"])
    assert client.post("/users/", json={"email": "rick@example.com", "password": "x" * 12}).status_code == 200


def test_one_application_does_not_change_the_documentation_of_another(document: dict[str, Any]) -> None:
    other = create_app(build_container(Settings(database_url=SecretStr("memory://")))).openapi()
    assert other["components"]["schemas"]["UserCreate"]["properties"]["password"]["minLength"] == 1
    assert document["components"]["schemas"]["UserCreate"]["properties"]["password"]["minLength"] == 12


@pytest.mark.parametrize("prefix", ["", "/belongings"])
@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_pages_load_nothing_from_other_hosts(client: TestClient, page: str, prefix: str) -> None:
    with TestClient(client.app, root_path=prefix) as behind_a_proxy:
        response = behind_a_proxy.get(prefix + page)
        assert response.status_code == 200
        assert "//" not in re.sub(r"<!--.*?-->", "", response.text, flags=re.DOTALL)
        links = re.findall(r"""(?:src|href|spec-url)="([^"]+)"|\burl: '([^']+)'""", response.text)
        addresses = [attribute or setting for attribute, setting in links]
        assert f"{prefix}/openapi.json" in addresses
        assert any(address.endswith(".js") for address in addresses)
        for address in addresses:
            asset = behind_a_proxy.get(address)
            assert (asset.status_code, bool(asset.content)) == (200, True), address
            if address.endswith(".css"):
                assert not re.search(r"@import|url\(\s*[\"']?(https?:)?//", asset.text)


@pytest.mark.parametrize("prefix", ["", "/belongings"])
@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_pages_run_only_their_own_scripts_and_cannot_be_framed(client: TestClient, page: str, prefix: str) -> None:
    response = TestClient(client.app, root_path=prefix).get(prefix + page)
    policy = dict(part.split(" ", 1) for part in response.headers["Content-Security-Policy"].split("; "))
    inline = re.findall(r"<script>(.*?)</script>", response.text, re.DOTALL)
    hashes = [f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in inline]
    assert len(hashes) == (page == "/docs")
    assert policy["script-src"].split() == ["'self'", *hashes]
    assert (policy["default-src"], policy["connect-src"], policy["base-uri"]) == ("'none'", "'self'", "'none'")
    assert (policy["frame-ancestors"], response.headers["X-Frame-Options"]) == ("'none'", "DENY")
    assert not re.search(r"\son\w+=|javascript:", response.text)


@pytest.mark.parametrize("range", ["", "bytes=0-9", "bytes=9-0", "bytes=x-", "bytes=999999999-", "lines=1-2"])
def test_scripts_are_sent_whole(client: TestClient, range: str) -> None:
    path = "/static-offline-docs/swagger-ui.css"
    whole = client.get(path)
    assert whole.headers["Accept-Ranges"] == "none"
    response = client.get(path, headers={"Range": range})
    assert (response.status_code, response.content == whole.content) == (200, True)
    assert client.get(path, headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304
    assert client.head(path, headers={"Range": range}).headers["Content-Length"] == str(len(whole.content))


def test_a_patch_can_have_the_media_type_of_merge_patches(document: dict[str, Any], client: TestClient) -> None:
    for path in ("/users/{user_id}", "/items/{item_id}"):
        content = document["paths"][path]["patch"]["requestBody"]["content"]
        assert content["application/merge-patch+json"] == content["application/json"]
    id = client.post("/items/", json={"title": "Towel"}).json()["id"]
    headers = {"Content-Type": "application/merge-patch+json"}
    assert client.patch(f"/items/{id}", content=b'{"price": 12.5}', headers=headers).json()["price"] == 12.5


def test_sign_ups_and_password_changes_document_the_rate_limit_headers(document: dict[str, Any]) -> None:
    limited = {
        (path, status)
        for path, operations in document["paths"].items()
        for operation in operations.values()
        for status, response in operation["responses"].items()
        if {"RateLimit", "RateLimit-Policy"} <= response.get("headers", {}).keys()
    }
    assert limited == {(path, status) for path in ("/users/", "/users/{user_id}") for status in ("200", "429")}
