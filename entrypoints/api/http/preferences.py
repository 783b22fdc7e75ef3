"""The ``Prefer`` header (RFC 7240)."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header
from pydantic import WithJsonSchema

_Prefer = Annotated[
    list[str] | None,
    WithJsonSchema({"type": "string"}),
    Header(
        alias="Prefer",
        description="`count=exact` asks for `X-Total-Count`. Counting takes as long as reading all rows.",
    ),
]


@dataclass(frozen=True, slots=True)
class Preferences:
    """The preferences of a client.

    :param count: whether the total number of rows is requested.
    """

    count: bool = False

    @property
    def pool(self) -> str | None:
        """The thread pool for scans, if rows are counted."""
        return "scanning" if self.count else None


_NONE = Preferences()


async def preferences(prefer: _Prefer = None) -> Preferences:
    """The preferences of this request. If one is repeated, the first counts (RFC 7240 §2)."""
    for preference in ",".join(prefer or ()).split(","):
        name, _, value = preference.partition(";")[0].partition("=")
        if name.strip(" \t").lower() == "count":
            return Preferences(count=value.strip(" \t").lower() in ("exact", '"exact"'))
    return _NONE


PreferDep = Annotated[Preferences, Depends(preferences)]
