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
"""A header that may be repeated, which means the same as one line with commas (RFC 9110 §5.3)."""

IfMatch = Annotated[
    _Lines, Header(alias="If-Match", description="The `ETag` that you expect; 412 if it is a different one now.")
]
IfNoneMatch = Annotated[
    _Lines,
    Header(
        alias="If-None-Match",
        description="An `ETag` that you have; if it is still current, 304 for a GET and 412 for a change.",
    ),
]


def entity_tag(body: bytes) -> str:
    """A strong validator: it differs if the body does (RFC 9110 §8.8.3)."""
    return f'"{blake2b(body, digest_size=12).hexdigest()}"'


@dataclass(frozen=True, slots=True)
class Conditions:
    """``If-Match`` and ``If-None-Match`` of a request; None for a header that it does not have."""

    if_match: list[str] | None = None
    if_none_match: list[str] | None = None

    def is_not_modified(self, tag: str) -> bool:
        """Whether ``If-None-Match`` has this tag, by weak comparison.

        :raises StaleVersion: ``If-Match`` does not have it, by strong comparison. This is checked first (RFC 9110
            §13.2.2).
        """
        if self.if_match is not None and not _matches(self.if_match, tag):
            raise StaleVersion
        return self.if_none_match is not None and _matches(self.if_none_match, tag, f"W/{tag}")

    @property
    def precondition(self) -> Callable[[Mapping[str, Any]], bool] | None:
        """A function that says whether a resource may be changed as it is now; None without conditions."""
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
    """Whether the header lists one of these tags, or is ``*``. A malformed list matches nothing."""
    value = ",".join(lines)
    if value.strip(" \t") == "*":
        return True
    return _LIST.fullmatch(value) is not None and not set(tags).isdisjoint(_TAGS.findall(value))
