"""Deleting users with many items: the user is marked as removed first, then the items are deleted in steps.

Deleting a million items takes SQLite a minute, in which no other transaction can write. So one short transaction marks
the user as removed. From then on no statement returns the user, the items, or whatever else refers to the user.
"""

from functools import cache
from time import monotonic
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, Table, and_, delete, func, insert, or_, select, true, update
from sqlalchemy.orm import Session

from adapters.sql.mapping.tables import REMOVED, data_tables, removed_users, users

DIRECT_DELETE_MAX = 1_000
"""Up to this many rows are deleted in one transaction with their user."""

_STEP = 0.05
"""Seconds of deleting after which other transactions may write."""

_BATCH = 100
"""Rows deleted per statement."""


_mark = select(removed_users.c.user_id)

FIRST_REMOVED = _mark.limit(1)

NO_REMOVED_USERS = ~_mark.exists()
"""Whether nothing is hidden. Servers plan this in a third of the time of ``not_removed``."""


def not_removed(user_id: ColumnElement[int | None]) -> ColumnElement[bool]:
    """Whether the user with this id is not marked as removed. True for null, the owner of items without one.

    Databases evaluate the first half once per statement, and nearly always need nothing else.
    """
    return or_(NO_REMOVED_USERS, ~is_marked(user_id))


def is_marked(user_id: ColumnElement[int | None]) -> ColumnElement[bool]:
    """Whether the user with this id is marked as removed."""
    return _mark.where(removed_users.c.user_id == user_id).exists()


@cache
def user_columns(table: Table) -> list[Column[Any]]:
    """The columns that hold ids of users. A row is hidden if one of these users is removed."""
    if table is users:
        return [users.c.id]
    return [column for column in table.c if column.references(users.c.id)]


def is_visible(table: Table) -> ColumnElement[bool]:
    """Whether a row of one of ``data_tables`` is not hidden."""
    return and_(true(), *map(not_removed, user_columns(table)))


def is_kept(table: Table) -> ColumnElement[bool]:
    """``is_visible`` for a row that is being locked: a transaction that waited for a user sees their removal."""
    return users.c.version != REMOVED if table is users else is_visible(table)


def count_visible(table: Table, user_id: ColumnElement[int | None]) -> Select[Any]:
    """Count the rows of this column's table, without those of removed users.

    SQLite has an optimization for counting all rows of a table, which applies only without a condition.
    """
    all_rows = select(func.count()).select_from(table)
    hidden = all_rows.where(user_id.in_(_mark))
    return select(all_rows.scalar_subquery() - hidden.scalar_subquery())


def _owned() -> list[Column[Any]]:
    return [column for table in data_tables() if table is not users for column in user_columns(table)]


def has_many_rows(session: Session, user_id: int) -> bool:
    """Whether more than ``DIRECT_DELETE_MAX`` rows of a table belong to the user."""
    one_more = (
        select(owner.table.c.id).where(owner == user_id).limit(1).offset(DIRECT_DELETE_MAX) for owner in _owned()
    )
    return any(session.scalar(statement) is not None for statement in one_more)


def mark_removed(session: Session, user_id: int, version: int) -> bool:
    """Hide a user and all that refers to them, and erase their data; return False if the version is another one."""
    emptied = {"email": "", "email_key": f"removed {user_id}", "hashed_password": "", "version": REMOVED}
    marked = update(users).where(users.c.id == user_id, users.c.version == version).values(emptied)
    connection = session.connection()
    if connection.execute(marked).rowcount == 0:
        return False
    connection.execute(insert(removed_users).values(user_id=user_id))
    return True


def purge_step(session: Session) -> bool:
    """Delete some rows of a removed user, and the user after the last one; return False if there is none.

    Concurrent processes work on different users.
    """
    user_id = session.scalar(FIRST_REMOVED.with_for_update(skip_locked=True))
    if user_id is None:
        return False
    if _delete_owned(session, user_id, until=monotonic() + _STEP):
        session.execute(delete(removed_users).where(removed_users.c.user_id == user_id))
        session.execute(delete(users).where(users.c.id == user_id))
    session.commit()
    return True


def _delete_owned(session: Session, user_id: int, *, until: float) -> bool:
    """Return whether all rows were deleted by then."""
    for owner in _owned():
        table, id = owner.table, owner.table.c.id
        while batch := session.scalars(select(id).where(owner == user_id).limit(_BATCH)).all():
            session.execute(delete(table).where(id.in_(batch)))
            if monotonic() > until:
                return False
    return True
