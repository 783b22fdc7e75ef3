"""Repositories: entities that are loaded and stored by a session."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Dialect, Insert, Table, bindparam, exists, insert, or_, select
from sqlalchemy.orm import Session, class_mapper, make_transient_to_detached
from sqlalchemy.orm.util import identity_key

from adapters.sql.engine.driver import Query, execute, query, translate_error
from adapters.sql.engine.errors import translate_errors
from adapters.sql.mapping.removals import has_many_items, mark_removed, not_removed
from adapters.sql.mapping.tables import REMOVED, items, users
from domain.errors import EmailTaken, ItemNotFound, StaleVersion, UserNotFound
from domain.items import Item
from domain.users import User
from service_layer.aggregates import require_id


def _parameter_for(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return bindparam(column.key, type_=column.type)


def _insert_where(table: Table, condition: ColumnElement[bool]) -> Insert:
    """An INSERT that inserts only if the condition holds, without a separate query and without using up an id."""
    columns = [column for column in table.c if not column.primary_key]
    return insert(table).from_select(columns, select(*map(_parameter_for, columns)).where(condition))


_INSERT_USER = _insert_where(users, ~exists().where(users.c.email_key == _parameter_for(users.c.email_key)))
_OWNER = _parameter_for(items.c.owner_id)
# Takes the lock of the foreign key, but without its error, after which PostgreSQL aborts the transaction.
_LOCKED_OWNER = (
    select(users.c.id)
    .where(users.c.id == _OWNER, users.c.version != REMOVED)
    .with_for_update(read=True, key_share=True)
)
_INSERT_ITEM = _insert_where(items, or_(_OWNER.is_(None), _LOCKED_OWNER.exists()))


@dataclass(frozen=True, slots=True)
class _Insertion:
    """A compiled conditional INSERT, and the conversions of its values for the driver."""

    query: Query
    returns: bool
    columns: list[tuple[str, Callable[[Any], Any] | None]]


@cache
def _insertion(statement: Insert, dialect: Dialect) -> _Insertion:
    returns = dialect.name == "postgresql"  # its cursors have no lastrowid
    columns = [column for column in statement.table.c if not column.primary_key]
    return _Insertion(
        query(statement.returning(statement.table.c.id) if returns else statement, dialect),
        returns,
        [(column.key, column.type.dialect_impl(dialect).bind_processor(dialect)) for column in columns],
    )


def _insert(session: Session, statement: Insert, entity: User | Item) -> bool:
    """Run a conditional INSERT; on success set the id and attach the entity to the session.

    ``Session.add`` and ``flush`` have the same effect but take four times as long.
    """
    entity.check()
    connection = session.connection()
    insertion = _insertion(statement, connection.dialect)
    values = ((name, getattr(entity, name), convert) for name, convert in insertion.columns)
    row = {name: convert(value) if convert else value for name, value, convert in values}
    try:
        cursor = execute(insertion.query, connection.connection, row)
        if insertion.returns:
            entity.id = next((id for (id,) in cursor.fetchall()), None)
        else:
            entity.id = cursor.lastrowid if cursor.rowcount else None
    except connection.dialect.loaded_dbapi.Error as error:
        translated = translate_error(error, connection.engine, connection.connection)
        if translated.connection_invalidated:
            connection.invalidate(error)
        raise translated from error
    if entity.id is None:
        return False
    make_transient_to_detached(entity)
    session.add(entity)
    return True


Entity = TypeVar("Entity", User, Item)

_IS_KEPT: dict[type[User | Item], ColumnElement[bool]] = {
    User: users.c.version != REMOVED,  # on the locked row, so a transaction that waited sees the change
    Item: not_removed(items.c.owner_id),
}


def _get_for_update(session: Session, kind: type[Entity], id: int) -> Entity | None:
    """Load an entity, or return the one already loaded, and lock its row until the transaction ends.

    Waits for other transactions to release the lock. SQLite has no row locks, but only one writing transaction.
    """
    row = select(kind).where(class_mapper(kind).primary_key[0] == id, _IS_KEPT[kind]).with_for_update()
    return session.scalar(row) or session.identity_map.get(identity_key(kind, id))


class SqlAlchemyUserRepository:
    """Checks a rule in the INSERT itself; in a race, the constraint decides."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._loaded: list[User] = []  # keeps them alive: a session has weak references only

    def add(self, user: User) -> None:
        with translate_errors():
            self._session.flush()  # frees addresses that were changed before
            if not _insert(self._session, _INSERT_USER, user):
                raise EmailTaken

    def get(self, user_id: int) -> User:
        with translate_errors():
            user = _get_for_update(self._session, User, user_id)
        if user is None:
            raise UserNotFound
        self._loaded.append(user)
        return user

    def remove(self, user: User) -> None:
        with translate_errors():
            loaded = {entity.id: entity for entity in self._session if isinstance(entity, Item)}
            existing = self._existing_ids(loaded)
            if has_many_items(self._session, require_id(user)):
                self._mark_removed(user)
            else:
                self._session.delete(user)
                self._session.flush()
            for id in existing - self._existing_ids(loaded):
                self._session.expunge(loaded[id])  # the database has deleted it too

    def _mark_removed(self, user: User) -> None:
        if user in self._session:
            self._session.expunge(user)
        self._session.flush()
        if not mark_removed(self._session, require_id(user), user.version):
            raise StaleVersion

    def _existing_ids(self, ids: Collection[int | None]) -> set[int]:
        if not ids:
            return set()
        return set(self._session.scalars(select(items.c.id).where(items.c.id.in_(ids), _IS_KEPT[Item])))


class SqlAlchemyItemRepository:
    """Checks a rule in the INSERT itself; in a race, the constraint decides."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._loaded: list[Item] = []

    def add(self, item: Item) -> None:
        with translate_errors():
            self._session.flush()  # earlier changes are written first
            if not _insert(self._session, _INSERT_ITEM, item):
                raise UserNotFound

    def get(self, item_id: int) -> Item:
        with translate_errors():
            item = _get_for_update(self._session, Item, item_id)
        if item is None:
            raise ItemNotFound
        self._loaded.append(item)
        return item

    def owned_by(self, user_id: int, limit: int, *, for_update: bool = False) -> Sequence[Item]:
        with translate_errors():
            self._session.flush()
            owned = select(Item).where(items.c.owner_id == user_id, _IS_KEPT[Item]).order_by(items.c.id).limit(limit)
            if for_update:  # MariaDB locks every row that it reads, and by another index that may be all rows
                owned = owned.with_for_update().with_hint(items, "FORCE INDEX (ix_items_owner_id_id)", "mysql")
            found = self._session.scalars(owned).all()
        self._loaded.extend(found)
        return found

    def remove(self, item: Item) -> None:
        with translate_errors():
            self._session.delete(item)
            self._session.flush()
