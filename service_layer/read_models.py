"""What readers get: plain data in the shape of the wire, filled without loading entities."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum
from typing import Generic, Literal, TypedDict, TypeVar, cast

from domain.items import DESCRIPTION_MAX_LENGTH, Item
from domain.users import User

EMBEDDED_ITEMS = 100
"""A user is shown with this many of their items at most, the oldest ones."""

PAGE_MAX = 100
PAGE_CHARACTERS = 4 * 1024 * 1024
"""Characters of descriptions in a page at most, unless its first row alone has more."""

ID_MAX = 2**63 - 1


class ItemView(TypedDict):
    """An item as it is shown. The price is exact: twelve digits survive a double."""

    title: str
    description: str | None
    price: float | None
    id: int
    owner_id: int | None


class UserView(TypedDict):
    """A user as they are shown, with their first ``EMBEDDED_ITEMS`` items in id order."""

    email: str
    id: int
    is_active: bool
    items: list[ItemView]


Sort = Literal["id", "-id", "title", "-title", "price", "-price"]
"""What a list of items is ordered by, descending with a minus. Text is ordered by code points; items
without a price come last, whichever way; what is equal is ordered by id, in the same direction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageParams:
    """Which part of a list is wanted.

    :param limit: how many rows at most, 1 … 100.
    :param skip: how many rows to pass over; costs as much as reading them.
    :param after: only rows behind the one with this id, which need not be there any more; costs nothing.
        0 is before the first.
    :param after_value: the title or price of that row, where rows are sorted by it.
    :param characters: the page ends before the row with which the descriptions in it would have more characters
        than this; the first row is always in it.
    :raises ValueError: a number is out of bounds.
    """

    limit: int = PAGE_MAX
    skip: int = 0
    after: int = 0
    after_value: str | Decimal | None = None
    characters: int = PAGE_CHARACTERS

    def __post_init__(self) -> None:
        if not (1 <= self.limit <= PAGE_MAX and 0 <= self.skip <= ID_MAX and 0 <= self.after <= ID_MAX):
            raise ValueError("a page is out of bounds")


@dataclass(frozen=True, slots=True, kw_only=True)
class UserFilter:
    """Which users are wanted; what is None is not asked for.

    :param email: their address, equal by ``domain.users.canonical_email``.
    """

    email: str | None = None
    is_active: bool | None = None


class Owner(Enum):
    """Whose items are wanted, where it is not the user with one id."""

    ANY = "any"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFilter:
    """Which items are wanted; what is None is not asked for.

    :param owner: a user's id, there or not, or one of ``Owner``.
    :param title: exactly this.
    :param words: each is somewhere in the title or the description, inside of longer words too;
        compared as ``domain.text.fold_text`` does.
    :param min_price: no less than this, so not without a price; ``max_price`` likewise.
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
    """A part of a list.

    :param rows: in the order that was asked for, at most as many as were asked for. There may be fewer although the
        list goes on: a page is bounded in size as well.
    :param more: whether the list goes on behind them.
    :param total: how many rows all pages have together, where they were counted.
    """

    rows: Sequence[Row]
    more: bool
    total: int | None = None

    @classmethod
    def cut(cls, rows: Sequence[Row], limit: int) -> "Page[Row]":
        """The page of ``limit`` rows, out of up to ``limit + 1`` that were read to see whether there are more."""
        return cls(rows[:limit], len(rows) > limit)

    def first(self, count: int) -> "Page[Row]":
        """The page that ends after so many of these rows."""
        return replace(self, rows=self.rows[:count], more=True) if count < len(self.rows) else self


Shown = TypeVar("Shown", ItemView, UserView)


def bounded(page: Page[Shown], characters: int) -> Page[Shown]:
    """As many of the rows as ``PageParams.characters`` allows."""
    size = 0
    for count, row in enumerate(page.rows):
        size += sum([len(item["description"] or "") for item in _items_of(row)])
        if size > characters and count:
            return page.first(count)
    return page


def _items_of(view: UserView | ItemView) -> Sequence[ItemView]:
    return cast(Sequence[ItemView], view.get("items", [view]))


def items_page(rows: Sequence[ItemView], page: PageParams) -> Page[ItemView]:
    """The page that was asked for, out of up to one row more than it may have."""
    found = Page.cut(rows, page.limit)
    if len(rows) * DESCRIPTION_MAX_LENGTH <= page.characters:  # by default always, and to count them takes its time
        return found
    return bounded(found, page.characters)


def user_view(user: User, items: list[ItemView] | None = None) -> UserView:
    """A stored user as they are shown."""
    return {
        "email": user.email,
        "id": require_id(user),
        "is_active": user.is_active,
        "items": items or [],
    }


def item_view(item: Item) -> ItemView:
    """A stored item as it is shown."""
    return {
        "title": item.title,
        "description": item.description,
        "price": None if item.price is None else float(item.price),
        "id": require_id(item),
        "owner_id": item.owner_id,
    }


def require_id(entity: User | Item) -> int:
    """The id that a repository gave it.

    :raises ValueError: none has stored it yet.
    """
    if entity.id is None:
        raise ValueError("only what a repository has stored has an id to show")
    return entity.id
