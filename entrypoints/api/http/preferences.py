"""The ``Prefer`` header (RFC 7240)."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header
from pydantic import WithJsonSchema

_Prefer = Annotated[
    list[str] | None,
    WithJsonSchema({"type": "string"}),
    Header(description="`count=exact` asks for `X-Total-Count`, which takes as long as reading all rows."),
]


@dataclass(frozen=True, slots=True)
class Preferences:
    """What a client prefers.

    :param count: whether it asks for the number of all rows.
    """

    count: bool = False

    @property
    def pool(self) -> str | None:
        """The pool for scans, if rows are to be counted."""
        return "scanning" if self.count else None


_NONE = Preferences()


async def preferences(prefer: _Prefer = None) -> Preferences:
    """What this request prefers: ``count=exact``; where a preference is repeated, the first one counts."""
    for preference in ",".join(prefer or ()).split(","):
        name, _, value = preference.partition(";")[0].partition("=")
        if name.strip(" \t").lower() == "count":
            return Preferences(count=value.strip(" \t").lower() in ("exact", '"exact"'))
    return _NONE


PreferDep = Annotated[Preferences, Depends(preferences)]
