"""The edge of the hexagon: what the service needs from the outside world; what use cases need comes first.

Every promise of repositories, receipts, views, units of work, stores and rate limiters has a test in
``tests/contract``, which runs on every adapter; those of ``Store.migrate`` are in ``tests/migrations``.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from domain.items import Item
from domain.users import User
from service_layer.read_models import (
    ALL_ITEMS,
    ALL_USERS,
    ItemFilter,
    ItemView,
    Page,
    PageParams,
    UserFilter,
    UserView,
)


class UserRepository(Protocol):
    """The users, as one unit of work may change them."""

    def add(self, user: User) -> None:
        """Store a new user and give it its id.

        :raises EmailTaken: another user has the same canonical address.
        """

    def get(self, user_id: int) -> User:
        """The user, the same object each time; what is changed on it is written by ``commit``, or
        before anything else is added or removed: whichever writes it raises what ``commit`` would.
        Until this unit of work ends nobody else can change or remove the user, or give them an item.

        :raises UserNotFound: no user has this id.
        """

    def remove(self, user: User) -> None:
        """Remove a user that this unit of work got or added, and all of their items."""


class ItemRepository(Protocol):
    """The items, as one unit of work may change them."""

    def add(self, item: Item) -> None:
        """Store a new item and give it its id.

        :raises UserNotFound: its owner does not exist.
        """

    def get(self, item_id: int) -> Item:
        """The item, the same object each time; what is changed on it is written as a user's change is.
        Until this unit of work ends nobody else can change or remove it.

        :raises ItemNotFound: no item has this id.
        """

    def owned_by(self, user_id: int, limit: int, *, locked: bool = False) -> Sequence[Item]:
        """The first items of a user, in id order, as this unit of work has them.

        :param locked: each as from ``get``; otherwise others can change and remove them meanwhile.
        """

    def remove(self, item: Item) -> None:
        """Remove an item that this unit of work got or added."""


@dataclass(frozen=True, slots=True)
class IdempotencyRecord:
    """What was answered to a request that may come again.

    :param key: 1 … 255 characters.
    :param fingerprint: what the request was, up to 255 characters.
    :param answer: JSON, of any length.
    :param expires_at: when it is forgotten, in seconds since 1970.
    """

    key: str
    fingerprint: str
    answer: str
    expires_at: int


class IdempotencyRecords(Protocol):
    """The receipts, each stored by the unit of work that did what it tells of."""

    def get(self, key: str, *, now: int) -> IdempotencyRecord | None:
        """The receipt with this key that has not expired by now, or None. Keys are compared exactly."""

    def add(self, record: IdempotencyRecord, *, now: int) -> None:
        """Store a receipt, and forget some that have expired by now: more than one where there are.

        :raises IdempotencyKeyInUse: there is one with this key that has not expired, and ``get`` did not
            see it: somebody else has stored it since.
        """


class Views(Protocol):
    """What can be read. An answer shows one moment, and only what was committed by then.

    Lists are in id order unless another is asked for. Every order is total, so that no page repeats a
    row, nor misses one that was committed when the first page was read and is as it was then.
    Where writers do not queue (on PostgreSQL and MariaDB) a row may be committed after one with a
    greater id: who had passed its place by then does not meet it.

    A page ends early, with ``more``, where it would be larger than its request allows; that bounds what is read of the
    database as well.
    """

    def user(self, user_id: int) -> UserView | None:
        """One user with the first items, or None."""

    def users(self, page: PageParams, wanted: UserFilter = ALL_USERS) -> Page[UserView]:
        """A page of users, each with their first items."""

    def count_users(self, wanted: UserFilter = ALL_USERS) -> int:
        """How many there are."""

    def item(self, item_id: int) -> ItemView | None:
        """One item, or None."""

    def items(self, page: PageParams, wanted: ItemFilter = ALL_ITEMS) -> Page[ItemView]:
        """A page of items."""

    def count_items(self, wanted: ItemFilter = ALL_ITEMS) -> int:
        """How many there are."""

    def user_items(self, user_id: int, page: PageParams) -> Page[ItemView] | None:
        """A page of one user's items, or None where there is no such user."""


class UnitOfWork(Protocol):
    """All or nothing: what is done between ``with`` and ``commit`` happens at once or not at all.

    Leaving the block without a commit discards everything, whether by an error or not.
    Nobody sees uncommitted changes: not other units of work, and not ``views``, not even one's
    own. Ids are given in ascending order, and one that was committed is never given again, whatever
    is removed. Entities belong to the unit of work that got or added them and mean
    nothing after it; let an error leave the block.

    Two units of work that change the same entity never lose an update: the second waits for
    the first and then sees its change, or is told by ``StaleVersion``.

    Every method here and of the repositories and views raises ``StorageUnavailable`` where the
    database cannot be reached in time; nothing was written then, unless ``commit`` raised it,
    when it may have been. It is ``Deadlock`` where this unit of work was undone for others that it waited for
    and that waited for it; then nothing was written, and it can be done again at once.
    """

    @property
    def users(self) -> UserRepository:
        """The users; only between ``with`` and its end."""

    @property
    def items(self) -> ItemRepository:
        """The items; only between ``with`` and its end."""

    @property
    def idempotency_records(self) -> IdempotencyRecords:
        """The receipts; only between ``with`` and its end."""

    @property
    def views(self) -> Views:
        """The read side; at any time, without ``with``."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

    def commit(self) -> None:
        """Make it so: when this returns, the changes are on disk and everybody sees them.

        :raises EmailTaken, UserNotFound, InvalidValue: a change on an entity asks for what may not be.
        :raises StaleVersion: an entity that was changed here was changed or removed by somebody else
            since it was read.
        """


class PasswordHasher(Protocol):
    """Turns a password into what may be stored."""

    def hash(self, password: str) -> str:
        """A salted hash that only the same password verifies against; slow on purpose."""

    def fingerprint(self, password: str, salt: str) -> str:
        """Up to 64 characters: the same for the same two, and as hard to undo as ``hash``."""


class Quota(NamedTuple):
    """Whether one more was ``taken``, how many are ``left``, and in how many seconds all are there again."""

    taken: bool
    left: int
    seconds: float


class RateLimiter(Protocol):
    """Counts what each client asks for. Nothing here blocks the event loop."""

    @property
    def limit(self) -> int:
        """How many a client may take in one window."""

    @property
    def seconds(self) -> int:
        """How long a window is; it begins with a client's first."""

    async def take(self, client: str) -> Quota | None:
        """Take one, if one is left to this client; None where nobody can tell, which is logged once."""

    async def close(self) -> None:
        """Let go of whatever it counts with."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema's history that was run: ``direction`` is ``"up"`` or ``"down"``."""

    direction: str
    revision: str
    title: str


@dataclass(frozen=True, slots=True)
class ConnectionUse:
    """How many connections are in use for something, and how many threads wait for one."""

    in_use: int
    waiting: int


class Store(Protocol):
    """The place where everything is kept, as its operator sees it."""

    @property
    def label(self) -> str:
        """Where it is, for people to read; without secrets."""

    @property
    def embedded(self) -> bool:
        """Whether it is part of this service, so that nobody else makes, migrates or mends it."""

    @property
    def single_writer(self) -> bool:
        """Whether units of work that change something take turns, however many threads there are."""

    @property
    def single_process_reason(self) -> str | None:
        """Why several processes may not use it at once; None where they may."""

    @property
    def connections(self) -> Mapping[str, ConnectionUse]:
        """How the connections to the database are used at the moment, for ``reading``, ``scanning`` and ``writing``;
        nothing where there are none."""

    def group_commit(self) -> AbstractContextManager[None]:
        """Let the units of work that this thread runs in the block be kept by one commit, where that is cheaper.

        What one of them has committed is kept when the block has ended without an error, and is there
        for those that follow; one that is refused leaves the others as they are. Only with
        ``single_writer``: elsewhere each is kept by itself.

        :raises StorageUnavailable: at the end: nothing of what was committed in the block was kept.
        :raises OutcomeUnknown: at the end: all of it may have been kept, or nothing.
        """

    def migrate(self, revision: str = "head") -> list[Migration]:
        """Bring the schema to a revision, up or down, and say what was run for it.

        Processes that do this at once take turns, and one that was killed half-way can be run again.

        :param revision: ``head``, ``base``, the name of a revision, or ``+n`` and ``-n`` steps.
        :raises ValueError: there is no such revision.
        """

    def prepare(self) -> None:
        """Make ready for use, once, before the first unit of work.

        :raises SchemaMismatch: the schema is newer than this code.
        """

    def check(self) -> None:
        """Return if requests can be served now; a migration that was made since the last time does not change that.

        :raises SchemaMismatch: it must be migrated first, or was by a newer version before this one started.
        :raises StorageUnavailable: it cannot be reached.
        """

    def purge(self) -> bool:
        """Spend a few hundredths of a second on deleting what was removed and only hidden; whether to go on.

        Nobody notices it but by the room that becomes free. A purge that is interrupted goes on with the next call.

        :raises StorageUnavailable: it cannot be reached; nothing was deleted.
        """

    def close(self) -> None:
        """Give everything back; not to be used any more."""
