"""A store in the memory of this process, with the same guarantees as the SQL stores except durability.

Committed data is one immutable ``State``. A unit of work changes copies, and ``commit`` replaces the state, so readers
always see a consistent snapshot. As on SQLite, there is one writer at a time.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import copy
from itertools import count
from types import MappingProxyType, TracebackType
from typing import Any, Generic, Self

from adapters.fair_queue import FairQueue
from adapters.memory.views import InMemoryViews, State
from domain.errors import StaleVersion
from domain.items import Item
from domain.users import User
from service_layer.aggregates import Aggregate, AnyAggregate, Entity, require_id
from service_layer.deadline import seconds_left
from service_layer.errors import IdempotencyKeyInUse, StorageUnavailable
from service_layer.ports import ConnectionUse, IdempotencyRecord, Migration
from service_layer.read_models import ITEMS, USERS


class InMemoryStore:
    """The committed state, and the queue of writers.

    :param wait: how many seconds a writer waits for the previous one.
    """

    label = "memory (lost when the service ends)"
    embedded = True
    single_writer = True
    single_process_reason = "each would have its own data"
    connections: Mapping[str, ConnectionUse] = MappingProxyType({})

    def __init__(self, *, wait: float = 3.0) -> None:
        self.state = State()
        self.ids: defaultdict[AnyAggregate, Iterator[int]] = defaultdict(lambda: count(1))
        self._writer = FairQueue([None])
        self._wait = wait

    def acquire_writer(self) -> None:
        try:
            self._writer.get(timeout=min(self._wait, seconds_left()))
        except TimeoutError:
            raise StorageUnavailable("another writer did not finish in time") from None

    def release_writer(self) -> None:
        self._writer.put(None)

    def group_commit(self) -> AbstractContextManager[None]:
        return nullcontext()

    def migrate(self, revision: str = "head") -> list[Migration]:
        if revision not in ("head", "base"):
            raise ValueError("memory:// has no schema and no revisions")
        return []

    def prepare(self) -> None:
        pass

    def check(self) -> None:
        pass

    def purge(self) -> bool:
        return False

    def close(self) -> None:
        pass


class InMemoryUnitOfWork:
    """A unit of work on an ``InMemoryStore``; it waits for other writers at its first write."""

    def __init__(self, store: InMemoryStore) -> None:
        self._store = store
        self._writing = False
        self._repositories: dict[AnyAggregate, InMemoryRepository[Any]] = {}
        self.rows: defaultdict[AnyAggregate, dict[int, Any]] = defaultdict(dict)
        self.views = InMemoryViews(lambda: store.state)
        self.idempotency_records = InMemoryIdempotencyRecords(self)

    @property
    def users(self) -> "InMemoryRepository[User]":
        return self.repository(USERS)

    @property
    def items(self) -> "InMemoryRepository[Item]":
        return self.repository(ITEMS)

    def repository(self, aggregate: Aggregate[Entity, Any]) -> "InMemoryRepository[Entity]":
        if aggregate not in self._repositories:
            for each in aggregate.references.values():
                self.repository(each)  # its changes are written first
            self._repositories[aggregate] = InMemoryRepository(self, aggregate, self._store.ids[aggregate])
        return self._repositories[aggregate]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        self._repositories.clear()

    def begin(self) -> None:
        """Wait to become the only writer, then copy the committed state."""
        if not self._writing:
            self._store.acquire_writer()
            self._writing = True
            self.rows.clear()
            self.rows.update((aggregate, dict(rows)) for aggregate, rows in self._store.state.rows.items())
            self.idempotency_records.rows = self._store.state.idempotency_records

    def commit(self) -> None:
        self.begin()
        try:
            self.flush()
            self._store.state = State(dict(self.rows), self.idempotency_records.rows)
        finally:
            self._end()

    def flush(self) -> None:
        """Write changed entities to the copy, as a session does before it adds or deletes."""
        for repository in self._repositories.values():
            repository.flush()

    def delete(self, aggregate: AnyAggregate, id: int) -> None:
        """Delete a row and all rows that refer to it."""
        del self.rows[aggregate][id]
        self.repository(aggregate).loaded.pop(id, None)
        for each, rows in list(self.rows.items()):
            for column in [column for column, target in each.references.items() if target is aggregate]:
                for referring in [key for key, row in rows.items() if getattr(row, column) == id]:
                    self.delete(each, referring)

    def _end(self) -> None:
        if self._writing:
            self._writing = False
            self._store.release_writer()


class InMemoryRepository(Generic[Entity]):
    """Entities of one class: ``rows`` is the copy of this unit of work, ``loaded`` holds the objects it returned."""

    def __init__(self, unit: InMemoryUnitOfWork, aggregate: Aggregate[Entity, Any], ids: Iterator[int]) -> None:
        self._unit = unit
        self._aggregate = aggregate
        self._ids = ids
        self.loaded: dict[int, Entity] = {}
        self._original: dict[int, dict[str, object]] = {}

    @property
    def _rows(self) -> dict[int, Entity]:
        return self._unit.rows[self._aggregate]

    def add(self, entity: Entity) -> None:
        self._unit.begin()
        self._unit.flush()
        entity.check()
        self._check_constraints(entity)
        entity.id = next(self._ids)
        self._write(entity)

    def get(self, id: int) -> Entity:
        self._unit.begin()
        if id not in self.loaded:
            if id not in self._rows:
                raise self._aggregate.not_found
            self.loaded[id] = copy(self._rows[id])
            self._original[id] = vars(self.loaded[id]).copy()
        return self.loaded[id]

    def find(self, column: str, value: object, limit: int, *, for_update: bool = False) -> Sequence[Entity]:
        self._unit.begin()
        self._unit.flush()
        return [self.get(id) for id, row in sorted(self._rows.items()) if getattr(row, column) == value][:limit]

    def remove(self, entity: Entity) -> None:
        self._unit.begin()
        self.loaded.pop(require_id(entity), None)
        self._unit.flush()
        self._check_version(entity)
        self._unit.delete(self._aggregate, require_id(entity))

    def flush(self) -> None:
        for id, entity in sorted(self.loaded.items()):
            if vars(entity) != self._original[id]:
                entity.check()
                self._check_version(entity)
                self._check_constraints(entity)
                entity.version += 1
                self._write(entity)

    def _check_constraints(self, entity: Entity) -> None:
        """Raise the error of a constraint that a database would report."""
        for column, taken in self._aggregate.unique.items():
            value = getattr(entity, column)
            same = (row for row in self._rows.values() if getattr(row, column) == value and row.id != entity.id)
            if value is not None and next(same, None):
                raise taken
        for column, target in self._aggregate.references.items():
            if getattr(entity, column) not in (None, *self._unit.rows[target]):
                raise target.not_found

    def _write(self, entity: Entity) -> None:
        id = require_id(entity)
        self._rows[id] = copy(entity)
        self.loaded[id] = entity
        self._original[id] = vars(entity).copy()

    def _check_version(self, entity: Entity) -> None:
        row = self._rows.get(require_id(entity))
        if row is None or row.version != entity.version:
            raise StaleVersion


class InMemoryIdempotencyRecords:
    """Idempotency records; ``rows`` are those this unit of work sees. ``add`` drops expired ones."""

    def __init__(self, unit: InMemoryUnitOfWork) -> None:
        self.unit = unit
        self.rows: dict[str, IdempotencyRecord] = {}

    def get(self, key: str, *, now: int) -> IdempotencyRecord | None:
        self.unit.begin()
        record = self.rows.get(key)
        return record if record and record.expires_at > now else None

    def add(self, record: IdempotencyRecord, *, now: int) -> None:
        if self.get(record.key, now=now):
            raise IdempotencyKeyInUse
        self.unit.flush()
        self.rows = {key: each for key, each in self.rows.items() if each.expires_at > now}
        self.rows[record.key] = record
