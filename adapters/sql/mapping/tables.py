"""The tables, and the aggregates that they hold."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    UniqueConstraint,
)

from adapters.sql.mapping.types import Cents, ExactString, ExactText, Id
from domain.items import DESCRIPTION_MAX_LENGTH, TITLE_MAX_LENGTH
from domain.users import EMAIL_MAX_LENGTH
from service_layer.aggregates import AnyAggregate
from service_layer.read_models import ITEMS, USERS

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


ENTITIES: dict[Table, AnyAggregate] = {users: USERS, items: ITEMS}
"""The aggregate of each table."""


def table_of(aggregate: AnyAggregate) -> Table:
    """The table of an aggregate."""
    return metadata.tables[aggregate.name]
