"""The published OpenAPI document is true: schemathesis makes up requests from it, good and bad, and checks the answers.

Its engine is used as it is: its pytest fixture (4.32) does not work with pytest 9.2.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import schemathesis
from fastapi import FastAPI
from schemathesis.core.failures import Failure
from schemathesis.engine import Status, events, from_schema
from schemathesis.openapi.checks import RejectedPositiveData
from schemathesis.python.asgi import shutdown_lifespans

from domain.items import PRICE_MAX
from entrypoints.api.app import create_app
from entrypoints.container import Container

CHECKS = {
    "positive_data_acceptance": {"expected-statuses": ["200", "304", "404", "412"]},  # ids and tags that are made up
    "negative_data_rejection": {"expected-statuses": ["400", "404", "405", "412", "422"]},
}


@pytest.fixture
def app(container: Container) -> Iterator[FastAPI]:
    yield create_app(container)
    shutdown_lifespans()


BEYOND_SCHEMAS = {"email", "position", "idempotency_key", "user_not_found"}
"""What no schema says: which addresses can be written to, what a cursor is, if a key was used or a user exists."""


def filter_failure(_context: object, failure: Failure, _case: object, response: schemathesis.Response) -> bool:
    """Keep all failures but those of valid data that are refused for such a reason, or for a taken address."""
    if not isinstance(failure, RejectedPositiveData):
        return True
    problem = response.json()
    taken = problem["detail"] == "Email already registered"
    return not taken and not BEYOND_SCHEMAS & {error["type"] for error in problem.get("errors", [])}


def give_places(part: Any) -> None:
    """Let made-up prices have two decimal places, wherever they are.

    Clients are told in words: those who divide by ``multipleOf: 0.01`` in floats refuse 0.07.
    """
    if isinstance(part, dict) and part.get("maximum") == float(PRICE_MAX):
        part["multipleOf"] = 0.01
    for each in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        give_places(each)


class Count:
    """What was tried."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()  # by phase
        self.after_removal = 0

    def add(self, event: events.ScenarioFinished) -> Iterator[str]:
        """Count one scenario; yields what was there after it had been removed."""
        removed: set[str] = set()
        for sent in event.recorder.interactions.values():
            self.requests[event.phase.value] += 1
            path = urlsplit(sent.request.uri).path
            status = sent.response.status_code if sent.response else 0
            if path in removed and sent.request.method in ("GET", "PATCH", "DELETE"):
                self.after_removal += 1
                if status not in (404, 422):
                    yield f"{sent.request.method} {path} is {status} after it was removed"
            elif sent.request.method == "DELETE" and status == 200:
                removed.add(path)


def violations(app: FastAPI, count: Count, *, examples: int) -> list[str]:
    """What the answers to so many made-up requests, for each operation and mode, violate, with a way to repeat it."""
    config = schemathesis.Config.from_dict(
        {
            "seed": 1,
            "generation": {"deterministic": True, "max-examples": examples},
            "suppress-health-check": ["all"],  # they watch the clock
            "checks": CHECKS,
        }
    )
    schema = schemathesis.openapi.from_asgi("/openapi.json", app, config=config)
    schema.hook(filter_failure)
    give_places(schema.raw_schema)
    found: list[str] = []
    tested: set[str | None] = set()
    for event in from_schema(schema).execute():
        if isinstance(event, events.NonFatalError):
            found.append(f"{event.label}: {event.value!r}")
        elif isinstance(event, events.FatalError):
            raise event.exception
        elif isinstance(event, events.ScenarioFinished):
            found += [*told(event), *count.add(event)]
            if event.status is Status.SUCCESS:
                tested.add(event.label)
    published = {f"{method.upper()} {path}" for path, methods in app.openapi()["paths"].items() for method in methods}
    return found + [f"{label}: no request was made up" for label in sorted(published - tested)]


def told(event: events.ScenarioFinished) -> Iterator[str]:
    """The failures of one scenario."""
    for case, checks in event.recorder.checks.items():
        for check in checks:
            if check.failure_info is not None:
                failure = check.failure_info
                response = event.recorder.interactions[case].response
                answer = f"{response.status_code} {response.text[:500]}" if response else "nothing"
                yield f"{check.name}: {failure.failure.message}\n{failure.code_sample}\n{answer}\n"


@pytest.mark.parametrize("container", ["memory", "sqlite"], indirect=True)
def test_what_is_published_is_kept(app: FastAPI) -> None:
    if found := violations(app, Count(), examples=20):
        pytest.fail("\n".join(found), pytrace=False)


@pytest.mark.long
@pytest.mark.parametrize("container", ["memory", "sqlite"], indirect=True)
def test_what_is_published_is_kept_however_long_one_tries(
    app: FastAPI, record_property: Callable[[str, object], None]
) -> None:
    count = Count()
    found = violations(app, count, examples=1_000)
    record_property("figure", f"{dict(count.requests)}, {count.after_removal} of them after a removal")
    if found:
        pytest.fail("\n".join(found), pytrace=False)
    assert count.requests.total() >= 10_000
    assert count.after_removal
