"""The read side of the store in memory."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from service_layer.aggregates import NO_FILTER, Aggregate, AnyAggregate, Entity, Filter, View, require_id
from service_layer.ports import IdempotencyRecord
from service_layer.read_models import (
    EMBEDDED_ITEMS,
    ITEMS,
    USERS,
    ItemView,
    Page,
    PageParams,
    bounded,
)


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

    def matching(self, aggregate: Aggregate[Entity, Any], filter: Filter) -> Iterator[Entity]:
        """The entities that meet all conditions, in id order."""
        conditions = {name: aggregate.filters[name] for name in filter}
        tests = [(each.column, each.predicate(filter[name])) for name, each in conditions.items()]
        for row in self.rows_of(aggregate).values():
            if all(matches(getattr(row, column)) for column, matches in tests):
                yield row


class InMemoryViews:
    """Queries on committed data; each method reads the state once.

    :param committed: returns the current state.
    """

    def __init__(self, committed: Callable[[], State]) -> None:
        self._committed = committed

    def read(self, aggregate: Aggregate[Entity, View], id: int) -> View | None:
        state = self._committed()
        entity = state.rows_of(aggregate).get(id)
        return None if entity is None else _view(state, aggregate, entity)

    def list(self, aggregate: Aggregate[Entity, View], page: PageParams, filter: Filter = NO_FILTER) -> Page[View]:
        return _list(self._committed(), aggregate, page, filter)

    def count(self, aggregate: AnyAggregate, filter: Filter = NO_FILTER) -> int:
        return sum(1 for _ in self._committed().matching(aggregate, filter))

    def user_items(self, user_id: int, page: PageParams) -> Page[ItemView] | None:
        state = self._committed()
        return _list(state, ITEMS, page, {"owner_id": user_id}) if user_id in state.rows_of(USERS) else None


def _list(state: State, aggregate: Aggregate[Entity, View], page: PageParams, filter: Filter) -> Page[View]:
    if aggregate is USERS and page.sort != "id":
        raise ValueError(page.sort)
    entities = _Order(page.sort).page(state.matching(aggregate, filter), page)
    views = [_view(state, aggregate, entity) for entity in entities.rows]
    return bounded(aggregate, Page(views, entities.more), page.characters)


def _view(state: State, aggregate: Aggregate[Entity, View], entity: Entity) -> View:
    if aggregate is not USERS:
        return aggregate.view_of(entity)
    items = state.matching(ITEMS, {"owner_id": entity.id})
    views = [ITEMS.view_of(item) for item in islice(items, EMBEDDED_ITEMS)]
    return aggregate.view_of(entity, items=views)


class _Order:
    """A total order of entities, as sort keys that are all different."""

    def __init__(self, sort: str) -> None:
        self._by = sort.removeprefix("-")
        self._descending = sort.startswith("-")

    def page(self, entities: Iterable[Entity], page: PageParams) -> Page[Entity]:
        if (self._by, self._descending) != ("id", False):
            entities = sorted(entities, key=self._key_of, reverse=self._descending)
        if page.after:
            start = self._key(page.after_value, page.after)
            entities = (each for each in entities if self._is_after(self._key_of(each), start))
        return Page.cut([*islice(islice(entities, page.skip, None), page.limit + 1)], page.limit)

    def _key_of(self, entity: Any) -> tuple[object, ...]:
        return self._key(getattr(entity, self._by), require_id(entity))

    def _key(self, value: object, id: int) -> tuple[object, ...]:
        if self._by == "id":
            return (id,)
        return ((value is None) != self._descending, value, id)  # None is last in both directions

    def _is_after(self, key: tuple[object, ...], other: tuple[object, ...]) -> bool:
        return key < other if self._descending else key > other
