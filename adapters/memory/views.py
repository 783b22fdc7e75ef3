"""The read side of the store in memory."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from typing import Any, TypeVar, cast

from domain.items import Item
from domain.text import fold_text
from domain.users import User, canonical_email
from service_layer.aggregates import Aggregate, AnyAggregate, Stored
from service_layer.ports import IdempotencyRecord
from service_layer.read_models import (
    ALL_ITEMS,
    ALL_USERS,
    EMBEDDED_ITEMS,
    ITEMS,
    USERS,
    ItemFilter,
    ItemView,
    Owner,
    Page,
    PageParams,
    Sort,
    UserFilter,
    UserView,
    bounded,
    item_view,
    user_view,
)

Entity = TypeVar("Entity", bound=Stored)


@dataclass(frozen=True, slots=True)
class State:
    """The committed data. Its entities are never changed and never returned to callers.

    Entities of one aggregate are in id order, since ids ascend and there is one writer at a time.
    """

    rows: Mapping[AnyAggregate, dict[int, Any]] = field(default_factory=dict)
    idempotency_records: dict[str, IdempotencyRecord] = field(default_factory=dict)

    def rows_of(self, aggregate: Aggregate[Entity, Any]) -> Mapping[int, Entity]:
        """The entities of one aggregate, by id."""
        return self.rows.get(aggregate, {})


class InMemoryViews:
    """Queries on committed data; each method reads the state once.

    :param committed: returns the current state.
    """

    def __init__(self, committed: Callable[[], State]) -> None:
        self._committed = committed

    def user(self, user_id: int) -> UserView | None:
        state = self._committed()
        user = state.rows_of(USERS).get(user_id)
        return None if user is None else _with_items(user, state)

    def users(self, page: PageParams, filter: UserFilter = ALL_USERS) -> Page[UserView]:
        state = self._committed()
        following = (user for user in _matching_users(state, filter) if cast(int, user.id) > page.after)
        users = _cut(following, page)
        return bounded(Page([_with_items(user, state) for user in users.rows], users.more), page.characters)

    def count_users(self, filter: UserFilter = ALL_USERS) -> int:
        return sum(1 for _ in _matching_users(self._committed(), filter))

    def item(self, item_id: int) -> ItemView | None:
        item = self._committed().rows_of(ITEMS).get(item_id)
        return None if item is None else item_view(item)

    def items(self, page: PageParams, filter: ItemFilter = ALL_ITEMS) -> Page[ItemView]:
        return _items(self._committed(), page, filter)

    def count_items(self, filter: ItemFilter = ALL_ITEMS) -> int:
        return sum(1 for _ in _matching_items(self._committed(), filter))

    def user_items(self, user_id: int, page: PageParams) -> Page[ItemView] | None:
        state = self._committed()
        return _items(state, page, ItemFilter(owner=user_id)) if user_id in state.rows_of(USERS) else None


class _Order:
    """A total order of items, as sort keys that are all different."""

    def __init__(self, sort: Sort) -> None:
        self._by = sort.removeprefix("-")
        self._descending = sort.startswith("-")

    def page(self, items: Iterable[Item], page: PageParams) -> Page[Item]:
        if (self._by, self._descending) != ("id", False):
            items = sorted(items, key=self._key_of, reverse=self._descending)
        if page.after:
            start = self._key(page.after_value, page.after)
            items = (item for item in items if self._is_after(self._key_of(item), start))
        return _cut(items, page)

    def _key_of(self, item: Item) -> tuple[object, ...]:
        return self._key(getattr(item, self._by), cast(int, item.id))

    def _key(self, value: object, id: int) -> tuple[object, ...]:
        if self._by == "id":
            return (id,)
        return ((value is None) != self._descending, value, id)  # None is last in both directions

    def _is_after(self, key: tuple[object, ...], other: tuple[object, ...]) -> bool:
        return key < other if self._descending else key > other


def _matching_users(state: State, filter: UserFilter) -> Iterator[User]:
    key = None if filter.email is None else canonical_email(filter.email)
    return (
        user
        for user in state.rows_of(USERS).values()
        if key in (None, user.email_key) and filter.is_active in (None, user.is_active)
    )


def _matching_items(state: State, filter: ItemFilter) -> Iterator[Item]:
    words = [fold_text(word) for word in filter.words]
    return (
        item
        for item in state.rows_of(ITEMS).values()
        if (filter.owner is Owner.ANY or item.owner_id == (None if filter.owner is Owner.NONE else filter.owner))
        and filter.title in (None, item.title)
        and _within(item.price, filter.min_price, filter.max_price)
        and all(word in item.search_text for word in words)
    )


def _within(price: Decimal | None, minimum: Decimal | None, maximum: Decimal | None) -> bool:
    if price is None:
        return minimum is None and maximum is None
    return (minimum is None or price >= minimum) and (maximum is None or price <= maximum)


def _items(state: State, page: PageParams, filter: ItemFilter) -> Page[ItemView]:
    items = _Order(filter.sort).page(_matching_items(state, filter), page)
    return bounded(Page([item_view(item) for item in items.rows], items.more), page.characters)


def _with_items(user: User, state: State) -> UserView:
    items = (item_view(item) for item in state.rows_of(ITEMS).values() if item.owner_id == user.id)
    return user_view(user, list(islice(items, EMBEDDED_ITEMS)))


def _cut(rows: Iterable[Entity], page: PageParams) -> Page[Entity]:
    """Cut a page from sorted rows."""
    return Page.cut(list(islice(islice(rows, page.skip, None), page.limit + 1)), page.limit)
