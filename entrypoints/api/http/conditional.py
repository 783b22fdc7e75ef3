"""Conditional requests: ``ETag``, ``If-Match`` and ``If-None-Match`` (RFC 9110 §13)."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Annotated, Any

from fastapi import Depends, Header
from orjson import dumps
from pydantic import WithJsonSchema

from domain.errors import StaleVersion

_TAG = r'(?:W/)?"[!#-~\x80-\xff]*"'
_TAGS = re.compile(_TAG)
_LIST = re.compile(rf"[ \t,]*{_TAG}(?:[ \t]*,[ \t,]*{_TAG})*[ \t,]*")
"""A list may have empty elements (RFC 9110 §5.6.1)."""

_Lines = Annotated[list[str] | None, WithJsonSchema({"type": "string"})]
"""The lines of a header that may come several times, which mean the same as one with commas (RFC 9110 §5.3)."""

IfMatch = Annotated[_Lines, Header(description="The `ETag` that you expect: 412 if it is another one by now.")]
IfNoneMatch = Annotated[
    _Lines, Header(description="An `ETag` that you have: 304 for a GET, 412 for a change, if it is still that one.")
]


def entity_tag(body: bytes) -> str:
    """A strong validator: different for every different body (RFC 9110 §8.8.3)."""
    return f'"{blake2b(body, digest_size=12).hexdigest()}"'


@dataclass(frozen=True, slots=True)
class Conditions:
    """What ``If-Match`` and ``If-None-Match`` ask for; None where a request does not have the header."""

    if_match: list[str] | None = None
    if_none_match: list[str] | None = None

    def is_not_modified(self, tag: str) -> bool:
        """Whether the client has the representation with this tag; a weak tag counts as its strong one here.

        :raises StaleVersion: ``If-Match`` does not hold, which comes first (RFC 9110 §13.2.2); weak tags never match.
        """
        if self.if_match is not None and not _matches(self.if_match, tag):
            raise StaleVersion
        return self.if_none_match is not None and _matches(self.if_none_match, tag, f"W/{tag}")

    @property
    def precondition(self) -> Callable[[Mapping[str, Any]], bool] | None:
        """Whether a resource may be changed as it is now; None where the request has no condition."""
        if self.if_match is None and self.if_none_match is None:
            return None
        return lambda view: not self.is_not_modified(entity_tag(dumps(view)))


_NO_CONDITIONS = Conditions()


async def conditions(if_match: IfMatch = None, if_none_match: IfNoneMatch = None) -> Conditions:
    """The conditions of this request."""
    if if_match is None and if_none_match is None:
        return _NO_CONDITIONS
    return Conditions(if_match, if_none_match)


ConditionsDep = Annotated[Conditions, Depends(conditions)]


def _matches(lines: list[str], *tags: str) -> bool:
    """Whether one of these tags is listed, or all are by ``*``. What is not a list of tags lists none."""
    value = ",".join(lines)
    if value.strip(" \t") == "*":
        return True
    return _LIST.fullmatch(value) is not None and not set(tags).isdisjoint(_TAGS.findall(value))
