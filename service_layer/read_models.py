"""Read models: plain data in the shape of API responses, filled without loading entities."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum
from typing import Generic, Literal, TypedDict, TypeVar, cast

from domain.errors import EmailTaken, ItemNotFound, UserNotFound
from domain.items import DESCRIPTION_MAX_LENGTH, Item
from domain.users import User, canonical_email
from service_layer.aggregates import Aggregate, AtLeast, AtMost, Equal, Words

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
        "q": Words("search_text"),
        "min_price": AtLeast("price"),
        "max_price": AtMost("price"),
    },
    sorts=("title", "price"),
    long_texts={"description": DESCRIPTION_MAX_LENGTH},
)

Sort = Literal["id", "-id", "title", "-title", "price", "-price"]
"""The order of a list of items, descending with a minus. Titles are ordered by code points. Items without a price
come last in both directions. Equal values are ordered by id, in the same direction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageParams:
    """Which part of a list to return.

    :param limit: the most rows to return, 1 … 100.
    :param skip: the number of rows to skip; as slow as reading them.
    :param after: return rows after the one with this id, which may not exist; as fast as the first page. 0 is before
        the first row.
    :param after_value: the title or price of that row, if the list is sorted by it.
    :param characters: the most characters of descriptions in a page; the page ends before the row that would exceed
        it, but always has its first row.
    :raises ValueError: a number is out of range.
    """

    limit: int = PAGE_MAX
    skip: int = 0
    after: int = 0
    after_value: str | Decimal | None = None
    characters: int = PAGE_CHARACTERS

    def __post_init__(self) -> None:
        if not (1 <= self.limit <= PAGE_MAX and 0 <= self.skip <= ID_MAX and 0 <= self.after <= ID_MAX):
            raise ValueError("page parameters are out of range")


@dataclass(frozen=True, slots=True, kw_only=True)
class UserFilter:
    """Conditions that users must meet; None means no condition.

    :param email: the address, compared by ``domain.users.canonical_email``.
    """

    email: str | None = None
    is_active: bool | None = None


class Owner(Enum):
    """Values of ``ItemFilter.owner`` other than the id of a user."""

    ANY = "any"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFilter:
    """Conditions that items must meet, and their order; None means no condition.

    :param owner: an id of a user that may not exist, or one of ``Owner``.
    :param title: the exact title.
    :param words: each must occur in the title or the description, also inside longer words; compared by
        ``domain.text.fold_text``.
    :param min_price: the minimum price, which excludes items without a price; ``max_price`` likewise.
    """

    owner: int | Owner = Owner.ANY
    title: str | None = None
    words: tuple[str, ...] = ()
    min_price: Decimal | None = None
    max_price: Decimal | None = None
    sort: Sort = "id"


ALL_USERS = UserFilter()
ALL_ITEMS = ItemFilter()

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


View = TypeVar("View", ItemView, UserView)


def bounded(page: Page[View], characters: int) -> Page[View]:
    """Shorten a page to the rows that ``PageParams.characters`` allows."""
    size = 0
    for count, row in enumerate(page.rows):
        size += sum([len(item["description"] or "") for item in _items_of(row)])
        if size > characters and count:
            return page.first(count)
    return page


def _items_of(view: UserView | ItemView) -> Sequence[ItemView]:
    return cast(Sequence[ItemView], view.get("items", [view]))


def items_page(rows: Sequence[ItemView], page: PageParams) -> Page[ItemView]:
    """Make a page from up to ``limit + 1`` rows, bounded in size."""
    found = Page.cut(rows, page.limit)
    if len(rows) * DESCRIPTION_MAX_LENGTH <= page.characters:  # always true by default; counting is slow
        return found
    return bounded(found, page.characters)


def user_view(user: User, items: list[ItemView] | None = None) -> UserView:
    """Return the view of a stored user."""
    view = USERS.view_of(user)
    view["items"] = items or []
    return view


item_view = ITEMS.view_of
