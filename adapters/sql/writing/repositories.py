"""The write side: entities, loaded and stored by a session."""

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
from service_layer.read_models import require_id


def _parameter_for(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return bindparam(column.key, type_=column.type)


def _insert_where(table: Table, condition: ColumnElement[bool]) -> Insert:
    """A statement that stores a row if it may be stored: so a refusal costs no id, and no statement of its own."""
    columns = [column for column in table.c if not column.primary_key]
    return insert(table).from_select(columns, select(*map(_parameter_for, columns)).where(condition))


_INSERT_USER = _insert_where(users, ~exists().where(users.c.email_key == _parameter_for(users.c.email_key)))
_OWNER = _parameter_for(items.c.owner_id)
# Locked as by the foreign key, but refused without it: PostgreSQL would take nothing more in this transaction.
_LOCKED_OWNER = (
    select(users.c.id)
    .where(users.c.id == _OWNER, users.c.version != REMOVED)
    .with_for_update(read=True, key_share=True)
)
_INSERT_ITEM = _insert_where(items, or_(_OWNER.is_(None), _LOCKED_OWNER.exists()))


@dataclass(frozen=True, slots=True)
class _Insertion:
    """One of these in the words of one database, and how its driver takes the values that are no plain ones."""

    query: Query
    returns: bool
    columns: list[tuple[str, Callable[[Any], Any] | None]]


@cache
def _insertion(statement: Insert, dialect: Dialect) -> _Insertion:
    returns = dialect.name == "postgresql"  # where a cursor does not know the id
    columns = [column for column in statement.table.c if not column.primary_key]
    return _Insertion(
        query(statement.returning(statement.table.c.id) if returns else statement, dialect),
        returns,
        [(column.key, column.type.dialect_impl(dialect).bind_processor(dialect)) for column in columns],
    )


def _insert(session: Session, statement: Insert, entity: User | Item) -> bool:
    """Run one of these; if a row was stored the entity has its id and is the session's.

    A session's own ``add`` and ``flush`` end in the same state, after four times as long.
    """
    entity.check()
    connection = session.connection()
    insertion = _insertion(statement, connection.dialect)
    values = ((name, getattr(entity, name), taken) for name, taken in insertion.columns)
    row = {name: taken(value) if taken else value for name, value, taken in values}
    try:
        cursor = execute(insertion.query, connection.connection, row)
        if insertion.returns:
            entity.id = next((id for (id,) in cursor.fetchall()), None)
        else:
            entity.id = cursor.lastrowid if cursor.rowcount else None
    except connection.dialect.loaded_dbapi.Error as error:
        told = translate_error(error, connection.engine, connection.connection)
        if told.connection_invalidated:
            connection.invalidate(error)
        raise told from error
    if entity.id is None:
        return False
    make_transient_to_detached(entity)
    session.add(entity)
    return True


Entity = TypeVar("Entity", User, Item)

_IS_KEPT: dict[type[User | Item], ColumnElement[bool]] = {
    User: users.c.version != REMOVED,  # in the row that is locked: whoever waits for it sees what became of it
    Item: not_removed(items.c.owner_id),
}


def _get_for_update(session: Session, kind: type[Entity], id: int) -> Entity | None:
    """The entity as the database has it now, or as it is held already; its row is locked until the transaction ends.

    Who has it locked is waited for. SQLite locks no rows: there the transaction is the only one that writes.
    """
    row = select(kind).where(class_mapper(kind).primary_key[0] == id, _IS_KEPT[kind]).with_for_update()
    return session.scalar(row) or session.identity_map.get(identity_key(kind, id))


class SqlAlchemyUserRepository:
    """Asks as it inserts; against a race the constraint decides."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._held: list[User] = []  # a session holds weak references only

    def add(self, user: User) -> None:
        with translate_errors():
            self._session.flush()  # an address that was changed before is free
            if not _insert(self._session, _INSERT_USER, user):
                raise EmailTaken

    def get(self, user_id: int) -> User:
        with translate_errors():
            user = _get_for_update(self._session, User, user_id)
        if user is None:
            raise UserNotFound
        self._held.append(user)
        return user

    def remove(self, user: User) -> None:
        with translate_errors():
            held = {entity.id: entity for entity in self._session if isinstance(entity, Item)}
            there = self._existing_ids(held)
            if has_many_items(self._session, require_id(user)):
                self._mark_removed(user)
            else:
                self._session.delete(user)
                self._session.flush()
            for id in there - self._existing_ids(held):
                self._session.expunge(held[id])  # the database has removed it too

    def _mark_removed(self, user: User) -> None:
        if user in self._session:
            self._session.expunge(user)
        self._session.flush()
        if not mark_removed(self._session, require_id(user), user.version):
            raise StaleVersion

    def _existing_ids(self, held: Collection[int | None]) -> set[int]:
        if not held:
            return set()
        return set(self._session.scalars(select(items.c.id).where(items.c.id.in_(held), _IS_KEPT[Item])))


class SqlAlchemyItemRepository:
    """Asks as it inserts; against a race the constraint decides."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._held: list[Item] = []

    def add(self, item: Item) -> None:
        with translate_errors():
            self._session.flush()  # as before every addition: whatever was changed is written first
            if not _insert(self._session, _INSERT_ITEM, item):
                raise UserNotFound

    def get(self, item_id: int) -> Item:
        with translate_errors():
            item = _get_for_update(self._session, Item, item_id)
        if item is None:
            raise ItemNotFound
        self._held.append(item)
        return item

    def owned_by(self, user_id: int, limit: int, *, for_update: bool = False) -> Sequence[Item]:
        with translate_errors():
            self._session.flush()
            owned = select(Item).where(items.c.owner_id == user_id, _IS_KEPT[Item]).order_by(items.c.id).limit(limit)
            if for_update:  # MariaDB locks every row that it reads, and by another index that may be all rows
                owned = owned.with_for_update().with_hint(items, "FORCE INDEX (ix_items_owner_id_id)", "mysql")
            found = self._session.scalars(owned).all()
        self._held.extend(found)
        return found

    def remove(self, item: Item) -> None:
        with translate_errors():
            self._session.delete(item)
            self._session.flush()
