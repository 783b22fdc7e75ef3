"""Responses conform to the OpenAPI document: schemathesis generates valid and invalid requests and checks them.

Its engine is used as it is: its pytest fixture (4.32) does not work with pytest 9.2.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import settings
from schemathesis import Case
from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.engine import Status, events, from_schema
from schemathesis.openapi.checks import RejectedPositiveData
from schemathesis.python.asgi import get_client, shutdown_lifespans
from schemathesis.schemas import BaseSchema

from domain.items import PRICE_MAX
from entrypoints.api.app import create_app
from tests.conftest import Databases

CHECKS = {
    "positive_data_acceptance": {"expected-statuses": ["200", "304", "404", "412"]},  # generated ids and tags
    "negative_data_rejection": {"expected-statuses": ["400", "404", "405", "412", "422"]},
}


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    """Check that every application that was started has ended."""
    yield
    shutdown_lifespans()


BEYOND_SCHEMAS = {"email", "position", "idempotency_key", "user_not_found"}
"""Errors that a schema cannot express: undeliverable addresses, invalid cursors, used keys, missing users."""


def filter_failure(_context: object, failure: Failure, case: Case[Any], response: schemathesis.Response) -> bool:
    """Drop failures that no schema could prevent."""
    if isinstance(failure, AcceptedNegativeData):
        return not has_title_and_name(case.body)
    if not isinstance(failure, RejectedPositiveData):
        return True
    problem = response.json()
    taken = problem["type"].endswith("-taken")
    return not taken and not BEYOND_SCHEMAS & {error["type"] for error in problem.get("errors", [])}


def has_title_and_name(body: object) -> bool:
    """Whether ``name`` is ignored, valid or not, because an item has a ``title`` too."""
    items = body if isinstance(body, list) else [body]
    return any(isinstance(item, dict) and {"title", "name"} <= item.keys() for item in items)


def map_query(_context: object, query: dict[str, Any] | None) -> dict[str, Any] | None:
    """Write integers without a decimal point. To JSON Schema, 3.0 is an integer; in a query, it is not."""
    for name, value in (query or {}).items():
        if isinstance(value, float) and value.is_integer():
            query = {**(query or {}), name: int(value)}
    return query


def prepare(part: Any) -> None:
    """Prepare schemas for the generation of data.

    Give prices at most two decimal places: the document says so in words only, as validators that check
    ``multipleOf: 0.01`` with floats refuse 0.07. Require a title or a name by ``anyOf``, for which data is generated
    without trial and error.
    """
    if isinstance(part, dict) and part.get("maximum") == float(PRICE_MAX):
        part["multipleOf"] = 0.01
    if isinstance(part, dict) and part.get("not") == {"propertyNames": {"not": {"enum": ["title", "name"]}}}:
        part["anyOf"] = [{"required": [name]} for name in ("title", "name")]
        del part["not"]
    for each in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        prepare(each)


def document(app: FastAPI, *, examples: int = 1, links: bool = False) -> BaseSchema:
    """The schema of this application, for so many generated requests per operation, or for following links."""
    config = schemathesis.Config.from_dict(
        {
            "seed": 1,
            "generation": {"deterministic": True, "max-examples": examples},
            "phases": {"stateful": {"enabled": links}},
            "suppress-health-check": ["all"],  # they depend on the speed of the machine
            "checks": CHECKS,
        }
    )
    schema = schemathesis.openapi.from_asgi("/openapi.json", app, config=config)
    schema.hook(filter_failure)
    schema.hook(map_query)
    prepare(schema.raw_schema)
    return schema


def violations(app: FastAPI, requests: Counter[str], *, examples: int) -> list[str]:
    """The failed checks for generated requests, each with a command that reproduces it.

    Links are not followed here: the engine stops without a message where an id has changed.

    :param requests: where to count them, by phase.
    """
    found: list[str] = []
    tested: set[str | None] = set()
    for event in from_schema(document(app, examples=examples)).execute():
        if isinstance(event, events.NonFatalError):
            found.append(f"{event.label}: {event.value!r}")
        elif isinstance(event, events.FatalError):
            raise event.exception
        elif isinstance(event, events.ScenarioFinished):
            found += failures(event)
            requests[event.phase.value] += len(event.recorder.interactions)
            if event.status is Status.SUCCESS:
                tested.add(event.label)
    published = {f"{method.upper()} {path}" for path, methods in app.openapi()["paths"].items() for method in methods}
    return found + [f"{label}: no request was made up" for label in sorted(published - tested)]


def failures(event: events.ScenarioFinished) -> Iterator[str]:
    """The failures of one scenario."""
    for case, checks in event.recorder.checks.items():
        for check in checks:
            if check.failure_info is not None:
                failure = check.failure_info
                response = event.recorder.interactions[case].response
                text = f"{response.status_code} {response.text[:500]}" if response else "nothing"
                yield f"{check.name}: {failure.failure.message}\n{failure.code_sample}\n{text}\n"


GONE = {"GET": {404}, "DELETE": {404}, "PATCH": {400, 404, 422}}
"""Statuses of a request for a deleted resource; the body is validated first."""


def follow_links(databases: Databases, kind: str, *, lives: int) -> Counter[str]:
    """Follow links from response to response in so many new applications; return the number of requests.

    :raises FailureGroup: a response does not conform, or a resource exists after it was deleted.
    """
    requests: Counter[str] = Counter()
    schema = document(create_app(databases.migrated(kind)), links=True)

    class Scenario(schema.as_state_machine()):  # type: ignore[misc]  # generated from the schema
        def setup(self) -> None:
            self.app: Any = create_app(databases.migrated(kind))
            self.removed: set[str] = set()

        def get_call_kwargs(self, case: Case[Any]) -> dict[str, Any]:
            return {"app": self.app}

        def after_call(self, response: schemathesis.Response, case: Case[Any]) -> None:
            super().after_call(response, case)
            requests["in all"] += 1
            path, method = urlsplit(str(response.request.url)).path, str(response.request.method)
            if path in self.removed:
                requests[f"{method} after a removal"] += 1
                assert response.status_code in GONE[method], f"{method} {path}: {response.status_code}"
            elif method == "DELETE" and response.status_code == 200:
                self.removed.add(path)
                requests["reads right after a removal"] += 1
                assert get_client(self.app).get(path).status_code == 404, f"{path} is there after it was removed"

        def teardown(self) -> None:
            shutdown_lifespans()

    Scenario.run(
        settings=settings(
            Scenario.TestCase.settings, max_examples=lives, stateful_step_count=20, derandomize=True, database=None
        )
    )
    return requests


STORES = pytest.mark.parametrize("kind", ["memory", "sqlite"])


@STORES
def test_responses_conform_to_openapi(databases: Databases, kind: str) -> None:
    if found := violations(create_app(databases.migrated(kind)), Counter(), examples=10):
        pytest.fail("\n".join(found), pytrace=False)


@STORES
def test_responses_conform_to_openapi_along_links(databases: Databases, kind: str) -> None:
    assert follow_links(databases, kind, lives=20)["reads right after a removal"]


@pytest.mark.long
@STORES
def test_responses_conform_to_openapi_for_thousands_of_requests(
    databases: Databases, kind: str, record_property: Callable[[str, object], None]
) -> None:
    requests: Counter[str] = Counter()
    found = violations(create_app(databases.migrated(kind)), requests, examples=1_000)
    record_property("figure", f"{dict(requests)}")
    if found:
        pytest.fail("\n".join(found), pytrace=False)
    assert requests.total() >= 10_000


@pytest.mark.long
@STORES
def test_responses_conform_to_openapi_along_ten_thousand_links(
    databases: Databases, kind: str, record_property: Callable[[str, object], None]
) -> None:
    requests = follow_links(databases, kind, lives=600)
    record_property("figure", f"{dict(requests)}")
    assert requests["in all"] >= 10_000
