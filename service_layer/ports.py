"""Ports: what the service needs from its adapters. The ports of use cases come first.

``tests/contract`` tests every guarantee of repositories, idempotency records, views, units of work, stores and rate
limiters on every adapter. The tests of ``Store.migrate`` are in ``tests/migrations``.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self

from domain.items import Item
from domain.users import User
from service_layer.aggregates import NO_FILTER, Aggregate, AnyAggregate, Entity, Filter, View
from service_layer.read_models import ItemView, Page, PageParams


class Repository(Protocol[Entity]):
    """Loads and stores the entities of one aggregate and one unit of work."""

    def add(self, entity: Entity) -> None:
        """Store a new entity and set its id.

        :raises BelongingsError: the aggregate's error for a value that another row has, or ``not_found`` of an
            aggregate that it refers to.
        """

    def get(self, id: int) -> Entity:
        """Load an entity; repeated calls return the same object.

        Until this unit of work ends, no other one can change or remove it, or let another entity refer to it. Changes
        of the object are written by ``commit``, or earlier, by the next ``add`` or ``remove``, which then raises the
        errors of ``commit``.

        :raises NotFound: the aggregate's ``not_found``: no entity has this id.
        """

    def find(self, column: str, value: object, limit: int, *, for_update: bool = False) -> Sequence[Entity]:
        """Load the first entities with this value in a column, in id order, with the changes of this unit of work.

        :param for_update: lock them as ``get`` does; otherwise others can still change and remove them.
        """

    def remove(self, entity: Entity) -> None:
        """Delete an entity that this unit of work loaded or added, and all that refer to it."""


@dataclass(frozen=True, slots=True)
class IdempotencyRecord:
    """The result of a request that the client may send again.

    :param key: 1 … 255 characters.
    :param fingerprint: identifies the request, up to 255 characters.
    :param answer: the result as JSON, of any length.
    :param expires_at: in seconds since 1970.
    """

    key: str
    fingerprint: str
    answer: str
    expires_at: int


class IdempotencyRecords(Protocol):
    """Loads and stores idempotency records, in the same transaction as the changes that they describe."""

    def get(self, key: str, *, now: int) -> IdempotencyRecord | None:
        """Return the record with this key, or None if there is none or it has expired. Keys are compared exactly."""

    def add(self, record: IdempotencyRecord, *, now: int) -> None:
        """Store a record, and delete some expired ones: more than one, if there are more.

        :raises IdempotencyKeyInUse: a concurrent request has stored an unexpired record with this key since ``get``.
        """


class Views(Protocol):
    """Queries. Each one returns a consistent snapshot of committed data.

    Lists are in id order by default. Every order is total, so pages never repeat a row, and never miss a row that
    was committed before the first page was read and has not changed since. On databases with concurrent writers
    (PostgreSQL and MariaDB) a row may be committed after one with a greater id; a client that has already read
    past its position does not see it.

    A page with too many characters for its request ends early, with ``more``. This also bounds how much is read from
    the database.
    """

    def read(self, aggregate: Aggregate[Entity, View], id: int) -> View | None:
        """Return one row, or None. A user has their first items."""

    def list(self, aggregate: Aggregate[Entity, View], page: PageParams, filter: Filter = NO_FILTER) -> Page[View]:
        """Return a page of rows.

        :raises ValueError: users are listed by id only.
        """

    def count(self, aggregate: AnyAggregate, filter: Filter = NO_FILTER) -> int:
        """Return the number of matching rows."""

    def user_items(self, user_id: int, page: PageParams) -> Page[ItemView] | None:
        """Return a page of one user's items, or None if the user does not exist."""


class UnitOfWork(Protocol):
    """An atomic transaction: the changes between ``with`` and ``commit`` are all made, or none.

    Leaving the block without a commit rolls back, with or without an error. Uncommitted changes are visible to no
    other unit of work and to no ``views``, including its own. Ids ascend, and a committed id is never assigned again,
    even after its row was deleted. Entities belong to the unit of work that loaded or added them and must not be used
    after it. After an error, leave the block.

    If two units of work change the same entity, no update is lost: the second one waits for the first and then sees
    its change, or raises ``StaleVersion``.

    Every method of a unit of work, its repositories and its views raises ``StorageUnavailable`` if the database does
    not respond in time. Nothing was written then, except that a ``commit`` that raises it may have succeeded. The
    subclass ``Deadlock`` means that the database rolled back; nothing was written, and the unit of work can be retried.
    """

    @property
    def users(self) -> Repository[User]:
        """``repository(USERS)``."""

    @property
    def items(self) -> Repository[Item]:
        """``repository(ITEMS)``."""

    def repository(self, aggregate: Aggregate[Entity, Any]) -> Repository[Entity]:
        """The repository of an aggregate. Available inside the ``with`` block only."""

    @property
    def idempotency_records(self) -> IdempotencyRecords:
        """The idempotency records. Available inside the ``with`` block only."""

    @property
    def views(self) -> Views:
        """The read side. Always available, also without ``with``."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

    def commit(self) -> None:
        """Commit; the changes are durable and visible to all when this returns.

        :raises BelongingsError: a changed entity breaks a rule: the errors of ``Repository.add``, and ``InvalidValue``.
        :raises StaleVersion: another unit of work has changed or deleted a changed entity since it was loaded.
        """


class PasswordHasher(Protocol):
    """Hashes passwords."""

    def hash(self, password: str) -> str:
        """Return a salted hash of the password. Slow on purpose."""

    def fingerprint(self, password: str, salt: str) -> str:
        """Return up to 64 characters that depend on password and salt only, and are as hard to reverse as ``hash``."""


class Quota(NamedTuple):
    """What a client has left of its rate limit after a request.

    :param allowed: whether this request is within the limit.
    :param remaining: requests left in the current window.
    :param reset_seconds: seconds until the window ends.
    """

    allowed: bool
    remaining: int
    reset_seconds: float


class RateLimiter(Protocol):
    """Limits how many requests each client may make. Does not block the event loop."""

    @property
    def limit(self) -> int:
        """The number of requests a client may make in one window."""

    @property
    def window_seconds(self) -> int:
        """The length of a window, which starts with the first request of a client."""

    async def hit(self, client: str) -> Quota | None:
        """Count a request of this client; return None, and log it once, if the counter is unavailable."""

    async def close(self) -> None:
        """Close its connections."""


@dataclass(frozen=True, slots=True)
class Migration:
    """A migration that was run: ``direction`` is ``"up"`` or ``"down"``."""

    direction: str
    revision: str
    title: str


@dataclass(frozen=True, slots=True)
class ConnectionUse:
    """The usage of one connection pool: connections in use, and threads that wait for one."""

    in_use: int
    waiting: int


class Store(Protocol):
    """The database as an operator sees it: startup, health, migrations, maintenance."""

    @property
    def label(self) -> str:
        """A readable description of the database, without secrets."""

    @property
    def embedded(self) -> bool:
        """Whether the database is part of this service, which then creates and migrates it by itself."""

    @property
    def single_writer(self) -> bool:
        """Whether only one unit of work can write at a time."""

    @property
    def single_process_reason(self) -> str | None:
        """Why only one process may use the database at a time; None if several may."""

    @property
    def connections(self) -> Mapping[str, ConnectionUse]:
        """The current usage of the pools ``reading``, ``scanning`` and ``writing``; empty without a database."""

    def group_commit(self) -> AbstractContextManager[None]:
        """Commit all units of work that this thread runs in the block with a single commit at its end.

        Each unit of work sees the changes of those before it, and one that fails does not affect the others. Their
        changes are durable when the block ends without an error. Without ``single_writer`` the block has no effect
        and each unit of work commits by itself.

        :raises StorageUnavailable: at the end of the block: nothing in the block was committed.
        :raises OutcomeUnknown: at the end of the block: either all of it was committed, or nothing.
        """

    def migrate(self, revision: str = "head") -> list[Migration]:
        """Upgrade or downgrade the schema to a revision, and return the migrations that were run.

        Concurrent calls, also of other processes, run one after the other. A migration that was killed can be run
        again.

        :param revision: ``head``, ``base``, a revision, or ``+n`` and ``-n`` steps.
        :raises ValueError: the revision does not exist.
        """

    def prepare(self) -> None:
        """Prepare the database, once, before the first unit of work.

        :raises SchemaMismatch: the schema is newer than this code.
        """

    def check(self) -> None:
        """Check that requests can be served.

        A migration by a newer version after the first successful check is ignored.

        :raises SchemaMismatch: the schema is out of date, or was newer than this code when the service started.
        :raises StorageUnavailable: the database cannot be reached.
        """

    def purge(self) -> bool:
        """Delete some rows of deleted users that are only hidden so far, for a few hundredths of a second.

        Clients cannot see any effect. The next call continues after an interruption.

        :return: whether there may be more rows to delete.
        :raises StorageUnavailable: the database cannot be reached; nothing was deleted.
        """

    def close(self) -> None:
        """Close all connections. The store must not be used afterwards."""
