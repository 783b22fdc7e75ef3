"""A store in the memory of this process, with the same guarantees as the SQL stores except durability.

Committed data is one immutable ``State``. A unit of work changes copies, and ``commit`` replaces the state, so readers
always see a consistent snapshot. As on SQLite, there is one writer at a time.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from itertools import count
from types import MappingProxyType, TracebackType
from typing import Generic, Self, cast

from adapters.fair_queue import FairQueue
from adapters.memory.views import Entity, InMemoryViews, State
from domain.errors import EmailTaken, ItemNotFound, StaleVersion, UserNotFound
from domain.items import Item
from domain.users import User
from service_layer.deadline import seconds_left
from service_layer.errors import IdempotencyKeyInUse, StorageUnavailable
from service_layer.ports import ConnectionUse, IdempotencyRecord, Migration


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
        self.user_ids = count(1)
        self.item_ids = count(1)
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
        self.views = InMemoryViews(lambda: store.state)
        self.users = InMemoryUserRepository(self, store.user_ids)
        self.items = InMemoryItemRepository(self, store.item_ids)
        self.idempotency_records = InMemoryIdempotencyRecords(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        self.users.expunge_all()
        self.items.expunge_all()

    def begin(self) -> None:
        """Wait to become the only writer, then copy the committed state."""
        if not self._writing:
            self._store.acquire_writer()
            self._writing = True
            self.users.rows = dict(self._store.state.users)
            self.items.rows = dict(self._store.state.items)
            self.idempotency_records.rows = self._store.state.idempotency_records

    def commit(self) -> None:
        self.begin()
        try:
            self.flush()
            self._store.state = State(self.users.rows, self.items.rows, self.idempotency_records.rows)
        finally:
            self._end()

    def flush(self) -> None:
        """Write changed entities to the copy, as a session does before it adds or deletes."""
        self.users.flush()
        self.items.flush()

    def _end(self) -> None:
        if self._writing:
            self._writing = False
            self._store.release_writer()


class _Repository(ABC, Generic[Entity]):
    """Entities of one class: ``rows`` is the copy of this unit of work, ``loaded`` holds the objects it returned."""

    def __init__(self, unit: InMemoryUnitOfWork, ids: Iterator[int]) -> None:
        self.unit = unit
        self.ids = ids
        self.rows: dict[int, Entity] = {}
        self.loaded: dict[int, Entity] = {}
        self._original: dict[int, dict[str, object]] = {}

    def expunge_all(self) -> None:
        self.loaded.clear()

    def add(self, entity: Entity) -> None:
        self.unit.begin()
        self.unit.flush()
        entity.check()
        self.check_constraints(entity)
        entity.id = next(self.ids)
        self._write(entity)

    def find(self, id: int) -> Entity | None:
        self.unit.begin()
        if id not in self.loaded and id in self.rows:
            self.loaded[id] = replace(self.rows[id])
            self._original[id] = vars(self.loaded[id]).copy()
        return self.loaded.get(id)

    def remove(self, entity: Entity) -> None:
        self.unit.begin()
        self.loaded.pop(cast(int, entity.id), None)
        self.unit.flush()
        self.check_version(entity)
        del self.rows[cast(int, entity.id)]

    def flush(self) -> None:
        for id, entity in sorted(self.loaded.items()):
            if vars(entity) != self._original[id]:
                entity.check()
                self.check_version(entity)
                self.check_constraints(entity)
                entity.version += 1
                self._write(entity)

    @abstractmethod
    def check_constraints(self, entity: Entity) -> None:
        """Raise if a constraint of the database would be violated."""

    def _write(self, entity: Entity) -> None:
        id = cast(int, entity.id)
        self.rows[id] = replace(entity)
        self.loaded[id] = entity
        self._original[id] = vars(entity).copy()

    def check_version(self, entity: Entity) -> None:
        row = self.rows.get(cast(int, entity.id))
        if row is None or row.version != entity.version:
            raise StaleVersion


class InMemoryUserRepository(_Repository[User]):
    def get(self, user_id: int) -> User:
        user = self.find(user_id)
        if user is None:
            raise UserNotFound
        return user

    def check_constraints(self, user: User) -> None:
        if any(row.email_key == user.email_key and row.id != user.id for row in self.rows.values()):
            raise EmailTaken

    def remove(self, user: User) -> None:
        super().remove(user)
        items = self.unit.items
        for id in [id for id, row in items.rows.items() if row.owner_id == user.id]:
            del items.rows[id]
            items.loaded.pop(id, None)


class InMemoryItemRepository(_Repository[Item]):
    def get(self, item_id: int) -> Item:
        item = self.find(item_id)
        if item is None:
            raise ItemNotFound
        return item

    def owned_by(self, user_id: int, limit: int, *, for_update: bool = False) -> Sequence[Item]:
        self.unit.begin()
        self.unit.flush()
        return [self.get(id) for id in sorted(self.rows) if self.rows[id].owner_id == user_id][:limit]

    def check_constraints(self, item: Item) -> None:
        if item.owner_id is not None and item.owner_id not in self.unit.users.rows:
            raise UserNotFound


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
