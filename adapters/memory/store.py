"""A real store that keeps everything in the memory of this process, and loses it with it.

What is committed is one immutable ``State``. A unit of work changes copies, and ``commit``
puts a new state in the place of the old one, so that a reader always sees one moment. Writers
queue, as they do on SQLite.
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
    """Everything that is kept, and the queue of those who want to change it.

    :param wait: for how many seconds a writer waits for the one before it.
    """

    label = "memory (lost when the service ends)"
    embedded = True
    single_writer = True
    single_process_reason = "each would have a memory of its own"
    connections: Mapping[str, ConnectionUse] = MappingProxyType({})

    def __init__(self, *, wait: float = 3.0) -> None:
        self.state = State()
        self.user_ids = count(1)
        self.item_ids = count(1)
        self._turn = FairQueue([None])
        self._wait = wait

    def start_writing(self) -> None:
        try:
            self._turn.get(timeout=min(self._wait, seconds_left()))
        except TimeoutError:
            raise StorageUnavailable("other writers held the store for too long") from None

    def stop_writing(self) -> None:
        self._turn.put(None)

    def group_commit(self) -> AbstractContextManager[None]:
        return nullcontext()

    def migrate(self, revision: str = "head") -> list[Migration]:
        if revision not in ("head", "base"):
            raise ValueError("memory has no schema, and so no revisions")
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
    """A unit of work on an ``InMemoryStore``; it joins the queue of writers when it first needs to."""

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
        self.users.forget()
        self.items.forget()

    def begin(self) -> None:
        """Become the one writer, and see what has been committed until now."""
        if not self._writing:
            self._store.start_writing()
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
        """Write the changes made on the entities that were handed out, as a session does before it adds or removes."""
        self.users.flush()
        self.items.flush()

    def _end(self) -> None:
        if self._writing:
            self._writing = False
            self._store.stop_writing()


class _Repository(ABC, Generic[Entity]):
    """Entities of one kind: ``rows`` as this unit of work sees them, ``held`` those it handed out."""

    def __init__(self, unit: InMemoryUnitOfWork, ids: Iterator[int]) -> None:
        self.unit = unit
        self.ids = ids
        self.rows: dict[int, Entity] = {}
        self.held: dict[int, Entity] = {}
        self._read: dict[int, dict[str, object]] = {}

    def forget(self) -> None:
        self.held.clear()

    def add(self, entity: Entity) -> None:
        self.unit.begin()
        self.unit.flush()
        entity.check()
        self.allow(entity)
        entity.id = next(self.ids)
        self._write(entity)

    def find(self, id: int) -> Entity | None:
        self.unit.begin()
        if id not in self.held and id in self.rows:
            self.held[id] = replace(self.rows[id])
            self._read[id] = vars(self.held[id]).copy()
        return self.held.get(id)

    def remove(self, entity: Entity) -> None:
        self.unit.begin()
        self.held.pop(cast(int, entity.id), None)
        self.unit.flush()
        self.expect_version(entity)
        del self.rows[cast(int, entity.id)]

    def flush(self) -> None:
        for id, entity in sorted(self.held.items()):
            if vars(entity) != self._read[id]:
                entity.check()
                self.expect_version(entity)
                self.allow(entity)
                entity.version += 1
                self._write(entity)

    @abstractmethod
    def allow(self, entity: Entity) -> None:
        """Raise where the constraints of a database would."""

    def _write(self, entity: Entity) -> None:
        id = cast(int, entity.id)
        self.rows[id] = replace(entity)
        self.held[id] = entity
        self._read[id] = vars(entity).copy()

    def expect_version(self, entity: Entity) -> None:
        row = self.rows.get(cast(int, entity.id))
        if row is None or row.version != entity.version:
            raise StaleVersion


class InMemoryUserRepository(_Repository[User]):
    def get(self, user_id: int) -> User:
        user = self.find(user_id)
        if user is None:
            raise UserNotFound
        return user

    def allow(self, user: User) -> None:
        if any(row.email_key == user.email_key and row.id != user.id for row in self.rows.values()):
            raise EmailTaken

    def remove(self, user: User) -> None:
        super().remove(user)
        items = self.unit.items
        for id in [id for id, row in items.rows.items() if row.owner_id == user.id]:
            del items.rows[id]
            items.held.pop(id, None)


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

    def allow(self, item: Item) -> None:
        if item.owner_id is not None and item.owner_id not in self.unit.users.rows:
            raise UserNotFound


class InMemoryIdempotencyRecords:
    """The receipts, ``rows`` as this unit of work sees them; ``add`` puts others in their place, without all that
    have expired."""

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
        self.rows = {key: kept for key, kept in self.rows.items() if kept.expires_at > now}
        self.rows[record.key] = record
