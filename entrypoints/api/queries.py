"""The query parameters of lists."""

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, LiteralString, Self
from urllib.parse import parse_qsl

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetPydanticSchema,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import literal_schema

from domain.items import TITLE_MAX_LENGTH
from entrypoints.api.cursors import cursor, position
from entrypoints.api.schemas import (
    SOME_TEXT,
    Count,
    Email,
    Id,
    Limit,
    PriceDigits,
    TrueOrFalse,
    ValidText,
    price_schema,
    text,
)
from service_layer.aggregates import AnyAggregate, Filter
from service_layer.read_models import ITEMS, PAGE_MAX, USERS, PageParams
from service_layer.scans import is_scan

_WORDS_MAX = 10


def _words(value: str) -> str:
    if not 1 <= len(value.split()) <= _WORDS_MAX:
        raise PydanticCustomError("words", f"Input should have 1 to {_WORDS_MAX} words")
    return value


_Text = Annotated[str, *text(1, TITLE_MAX_LENGTH)]
_Words = Annotated[
    str, Field(min_length=1, max_length=TITLE_MAX_LENGTH, json_schema_extra={"pattern": SOME_TEXT}), ValidText
]
_Price = Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=2), PriceDigits, WithJsonSchema(price_schema)]

_PRICE_NOTE = "Decimal digits with at most two decimal places, and no exponent. Excludes items without a price."


Cursor = Annotated[
    str | None,
    Field(
        max_length=4000,
        description="Opaque; from the `Link` to the next page of a list that is not sorted by `id`.",
    ),
]


def sort_by(aggregate: AnyAggregate, note: str = "") -> tuple[Any, ...]:
    """The metadata of a ``sort`` parameter."""
    sorts = [sign + column for column in ("id", *aggregate.sorts) for sign in ("", "-")]
    description = "The field to sort by; descending with a minus. Ties are sorted by id in the same direction."
    schema = GetPydanticSchema(lambda _source, _handler: literal_schema(sorts))
    return schema, Field(description=f"{description} {note}".strip())


def _misplaced(parameter: str, message: LiteralString) -> PydanticCustomError:
    """What a validator of all parameters says of one."""
    return PydanticCustomError("position", message, {"parameter": parameter})


class PageQuery(BaseModel):
    """Which page of a list to return. Unknown parameters are refused, as they would seem to work.

    Subclasses name the aggregate and declare its filters, which may be None if they are missing or say so; and, if it
    can be sorted, ``sort`` and ``cursor``.
    """

    model_config = ConfigDict(extra="forbid")

    aggregate: ClassVar[AnyAggregate]

    limit: Annotated[Limit, Field(description="The maximum number of rows.")] = PAGE_MAX
    skip: Annotated[Count | None, Field(description="The number of rows to skip. The deeper the page, the slower.")] = (
        None
    )
    after: Annotated[
        Count, Field(description="Only rows with a greater id. Deep pages are as fast as the first one.")
    ] = 0
    offset: Annotated[Count, Field(description="Alias of `skip`, which takes precedence.")] = 0

    @model_validator(mode="after")
    def _one_position(self) -> Self:
        if self.after and (self._sort != "id" or self._cursor is not None):
            raise _misplaced("after", "Input goes with sort=id, and without a cursor")
        if self._cursor is not None:
            try:
                position(self._cursor, self._sort, self.aggregate)
            except ValueError:
                raise _misplaced("cursor", "Input should be from the link to a page with this sort") from None
        return self

    @property
    def _cursor(self) -> str | None:
        return getattr(self, "cursor", None)

    @property
    def _sort(self) -> str:
        return getattr(self, "sort", "id")

    @cached_property
    def page(self) -> PageParams:
        """The same, with one word for each thing."""
        skip = self.offset if self.skip is None else self.skip
        text = self._cursor
        value, after = (None, self.after) if text is None else position(text, self._sort, self.aggregate)
        return PageParams(sort=self._sort, limit=self.limit, skip=skip, after=after, after_value=value)

    @cached_property
    def filter(self) -> Filter:
        """The filters that were given."""
        given = self.model_fields_set
        return {name: getattr(self, name) for name in self.aggregate.filters if name in given}

    @property
    def pool(self) -> str:
        """The pool for lists, or for scans if it is one."""
        return "scanning" if is_scan(self.aggregate, self.page, self.filter) else "listing"

    def following(self, last: Mapping[str, Any]) -> str:
        """What the query of the next page has, to begin behind the last row of this one."""
        return f"after={last['id']}" if self._sort == "id" else f"cursor={cursor(self._sort, last)}"


class UserItemQuery(PageQuery):
    """A page of one user's items."""

    aggregate = ITEMS


class UserQuery(PageQuery):
    """Filters for users."""

    aggregate = USERS

    email: Annotated[
        Email | None,
        Field(description="The user with this address, if there is one; upper and lower case do not matter."),
    ] = None
    is_active: Annotated[bool | None, TrueOrFalse, Field(description="Only active or only inactive users.")] = None


class ItemQuery(PageQuery):
    """Filters and sort order for items."""

    aggregate = ITEMS

    owner_id: Annotated[
        Id | Literal["null"] | None,
        AfterValidator(lambda value: None if value == "null" else value),
        Field(description="Items of this user, who may not exist, or `null` for items without an owner."),
    ] = None
    title: Annotated[_Text | None, Field(description="Items with exactly this title.")] = None
    q: Annotated[
        _Words | None,
        AfterValidator(lambda text: text and _words(text)),
        Field(
            description=f"Up to {_WORDS_MAX} words. Each must occur in the title or the description, also as a part of "
            "a longer word; upper and lower case do not matter."
        ),
    ] = None
    min_price: Annotated[_Price | None, Field(description=f"Minimum price. {_PRICE_NOTE}")] = None
    max_price: Annotated[_Price | None, Field(description=f"Maximum price. {_PRICE_NOTE}")] = None
    sort: Annotated[str, *sort_by(ITEMS, "Items without a price come last.")] = "id"
    cursor: Cursor = None


_REPEATED = {"msg": "Parameter should be there once", "type": "repeated"}
_PARAMETERS_MAX = 100
_TOO_MANY = {"loc": ("query",), "msg": f"Query should have at most {_PARAMETERS_MAX} parameters", "type": "too_long"}
_NO_UTF_8 = {"loc": ("query",), "msg": "Query should be UTF-8", "type": "string_unicode"}


async def _strict_query(request: Request) -> None:
    """Refuse a query that FastAPI would read as another one.

    It takes the last of a repeated parameter, and reads what is not UTF-8 as something else.

    :raises RequestValidationError: a parameter is repeated, there are more than 100, or something is not UTF-8.
    """
    if not request.scope["query_string"]:
        return
    parameters = query_parameters(request)
    if len(dict(parameters)) < len(parameters):
        times = Counter(name for name, _ in parameters)
        repeated = [{"loc": ("query", name), **_REPEATED} for name in times if times[name] > 1]
        raise RequestValidationError(repeated)


strict_query = Depends(_strict_query)


def query_parameters(request: Request) -> list[tuple[str, str]]:
    """What the query of this request has, in its order.

    :raises RequestValidationError: it is not UTF-8, or has more than 100 parameters.
    """
    if request.scope["query_string"].count(b"&") >= _PARAMETERS_MAX:
        raise RequestValidationError([_TOO_MANY])
    try:
        return parse_qsl(request.scope["query_string"].decode(), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise RequestValidationError([_NO_UTF_8]) from None
