"""Read models: plain data in the shape of API responses, filled without loading entities."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypedDict, TypeVar

from domain.errors import EmailTaken, ItemNotFound, UserNotFound
from domain.items import DESCRIPTION_MAX_LENGTH, Item
from domain.users import User, canonical_email
from service_layer.aggregates import Aggregate, AnyAggregate, AtLeast, AtMost, Equal, View, Words

EMBEDDED_ITEMS = 100
"""The most items that are part of a user; the oldest ones come first."""

PAGE_MAX = 100
PAGE_CHARACTERS = 4 * 1024 * 1024
"""The most characters of descriptions in a page, unless its first row alone has more."""

ID_MAX = 2**63 - 1


class ItemView(TypedDict):
    """An item. The price is exact: a double holds twelve digits."""

    title: str
    description: str | None
    price: float | None
    id: int
    owner_id: int | None


class UserView(TypedDict):
    """A user with their first ``EMBEDDED_ITEMS`` items, in id order."""

    email: str
    id: int
    is_active: bool
    items: list[ItemView]


USERS = Aggregate(
    name="users",
    entity=User,
    view=UserView,
    not_found=UserNotFound,
    unique={"email_key": EmailTaken},
    filters={"email": Equal("email_key", canonical_email), "is_active": Equal("is_active")},
)

ITEMS = Aggregate(
    name="items",
    entity=Item,
    view=ItemView,
    not_found=ItemNotFound,
    references={"owner_id": USERS},
    filters={
        "owner_id": Equal("owner_id"),
        "title": Equal("title"),
        "min_price": AtLeast("price"),
        "max_price": AtMost("price"),
        "q": Words("search_text"),
    },
    sorts=("title", "price"),
    long_texts={"description": DESCRIPTION_MAX_LENGTH},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageParams:
    """Which part of a list to return.

    :param sort: ``id`` or one of the ``sorts`` of the aggregate, descending with a minus. Text is ordered by code
        points. Rows without a value come last in both directions. Equal values are sorted by id, in the same direction.
    :param limit: the most rows to return, 1 … 100.
    :param skip: the number of rows to skip; as slow as reading them.
    :param after: return rows after the one with this id, which may not exist; as fast as the first page. 0 is before
        the first row.
    :param after_value: what that row has in the column by which the list is sorted.
    :param characters: the most characters of long texts in a page; the page ends before the row that would exceed it,
        but always has its first row.
    :raises ValueError: a number is out of range.
    """

    sort: str = "id"
    limit: int = PAGE_MAX
    skip: int = 0
    after: int = 0
    after_value: Any = None
    characters: int = PAGE_CHARACTERS

    def __post_init__(self) -> None:
        if not (1 <= self.limit <= PAGE_MAX and 0 <= self.skip <= ID_MAX and 0 <= self.after <= ID_MAX):
            raise ValueError("page parameters are out of range")


Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """One page of a list.

    :param rows: the rows of this page. There may be fewer than ``limit`` before the end of the list, since pages are
        limited in size as well.
    :param more: whether there are rows after this page.
    :param total: the number of rows of all pages together, if they were counted.
    """

    rows: Sequence[Row]
    more: bool
    total: int | None = None

    @classmethod
    def cut(cls, rows: Sequence[Row], limit: int) -> "Page[Row]":
        """Make a page of ``limit`` rows from up to ``limit + 1``: the last one only shows that there are more."""
        return cls(rows[:limit], len(rows) > limit)

    def first(self, count: int) -> "Page[Row]":
        """Return the page with only the first ``count`` rows."""
        return replace(self, rows=self.rows[:count], more=True) if count < len(self.rows) else self


def bounded(aggregate: AnyAggregate, page: Page[View], characters: int) -> Page[View]:
    """Shorten a page to the rows that ``PageParams.characters`` allows."""
    texts = (ITEMS if aggregate is USERS else aggregate).long_texts
    size = 0
    for count, row in enumerate(page.rows):
        size += sum([len(each[text] or "") for each in row.get("items", [row]) for text in texts])
        if size > characters and count:
            return page.first(count)
    return page


def page_of(aggregate: Aggregate[Any, View], rows: Sequence[View], page: PageParams) -> Page[View]:
    """Make a page from up to ``limit + 1`` rows, bounded in size."""
    found = Page.cut(rows, page.limit)
    if len(rows) * sum(aggregate.long_texts.values()) <= page.characters:  # true for items by default; counting is slow
        return found
    return bounded(aggregate, found, page.characters)
