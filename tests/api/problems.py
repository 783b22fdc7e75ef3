"""Assertions about problems (RFC 9457)."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from httpx2 import Response

TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}
"""Reason phrases of RFC 9110 that Python has only from 3.13."""


def expect_problem(response: Response, status: int, type: str = "about:blank") -> dict[str, Any]:
    """Check that this response is a complete problem with this status and type, and return it.

    :param type: the last part of its type, or ``about:blank``.
    """
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    members = ["type", "title", "status", "detail", "request_id"]
    assert list(problem) == members + ["errors"] * (status == HTTPStatus.UNPROCESSABLE_ENTITY)
    assert problem["type"] == (type if type == "about:blank" else f"urn:problem-type:belongings:{type}")
    assert (problem["title"], problem["status"]) == (TITLES.get(status) or HTTPStatus(status).phrase, status)
    assert isinstance(problem["detail"], str)
    assert problem["request_id"] == response.headers["X-Request-ID"]
    return problem


def expect_invalid(response: Response, *locations: Sequence[str | int]) -> None:
    """Check that this response is a 422 with an error at each of these locations and no others."""
    errors = expect_problem(response, 422, "invalid-request")["errors"]
    assert [error["loc"] for error in errors] == [list(each) for each in locations]
    assert all(list(error) == ["loc", "msg", "type"] for error in errors)
    assert all(error["msg"] and error["type"] for error in errors)
