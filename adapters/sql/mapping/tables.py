"""The tables, and the mapping of domain classes to them."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    UniqueConstraint,
    event,
    select,
)
from sqlalchemy.orm import class_mapper, registry
from sqlalchemy.orm.attributes import get_history
from sqlalchemy.orm.exc import UnmappedClassError

from adapters.sql.mapping.types import Cents, ExactString, ExactText, Id
from domain.errors import UserNotFound
from domain.items import DESCRIPTION_MAX_LENGTH, TITLE_MAX_LENGTH, Item
from domain.users import EMAIL_MAX_LENGTH, User

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)

users = Table(
    "users",
    metadata,
    Column("id", Id, primary_key=True),
    Column("email", ExactString(EMAIL_MAX_LENGTH), nullable=False),
    Column("email_key", ExactString(EMAIL_MAX_LENGTH), nullable=False),
    Column("hashed_password", ExactString(255), nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    UniqueConstraint("email_key"),
    Index(None, "is_active", "id"),
    sqlite_autoincrement=True,
)

items = Table(
    "items",
    metadata,
    Column("id", Id, primary_key=True),
    Column("title", ExactString(TITLE_MAX_LENGTH), nullable=False),
    Column("description", ExactString(DESCRIPTION_MAX_LENGTH)),
    Column("price", Cents),
    Column("owner_id", Id, ForeignKey("users.id", ondelete="CASCADE")),
    Column("version", Integer, nullable=False),
    Column("search_text", ExactText, nullable=False),
    Index(None, "owner_id", "id"),
    Index(None, "title", "id"),
    Index(None, "price", "id"),
    sqlite_autoincrement=True,
)

REMOVED = 0
"""The version of a removed user, whose row remains until all of their items are deleted."""

removed_users = Table(
    "removed_users",
    metadata,
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("key", ExactString(255), primary_key=True),
    Column("fingerprint", ExactString(255), nullable=False),
    Column("answer", ExactText, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
)


def data_tables() -> list[Table]:
    """The tables with lasting data, without idempotency keys and removed users; referenced tables come first."""
    return [table for table in metadata.sorted_tables if table not in (idempotency_keys, removed_users)]


ENTITIES: dict[Table, type[User | Item]] = {users: User, items: Item}
"""The domain class of each table."""


def start_mappers() -> None:
    """Map ``User`` and ``Item`` to their tables, once per process."""
    try:
        class_mapper(User)
    except UnmappedClassError:
        mapping = registry(metadata=metadata)
        for table, kind in ENTITIES.items():
            mapping.map_imperatively(kind, table, version_id_col=table.c.version)
            event.listen(kind, "before_update", _check)
        event.listen(Item, "after_update", _check_owner)


def _check(_mapper: object, _connection: object, entity: User | Item) -> None:
    entity.check()


def _check_owner(_mapper: object, connection: Connection, item: Item) -> None:
    """Reject a removed user as new owner. The foreign key, which has locked the user by now, accepts one."""
    if item.owner_id is None or not get_history(item, "owner_id").has_changes():
        return
    owner = select(users.c.version).where(users.c.id == item.owner_id)
    if connection.scalar(owner) == REMOVED:
        raise UserNotFound
