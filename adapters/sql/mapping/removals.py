"""Deleting users with many items: the user is marked as removed first, then the items are deleted in steps.

Deleting a million items takes SQLite a minute, in which no other transaction can write. So one short transaction marks
the user as removed. From then on no statement returns the user or the items.
"""

from time import monotonic
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, Table, delete, func, insert, or_, select, update
from sqlalchemy.orm import Session

from adapters.sql.mapping.tables import REMOVED, items, removed_users, users

DIRECT_DELETE_MAX = 1_000
"""Up to this many items are deleted in one transaction with their user."""

_STEP = 0.05
"""Seconds of deleting after which other transactions may write."""

_BATCH = 100
"""Items deleted per statement."""


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


def is_visible(table: Table) -> ColumnElement[bool]:
    """Whether a row of ``users`` or ``items`` is not hidden."""
    return not_removed(items.c.owner_id if table is items else table.c.id)


def count_visible(user_id: Column[int]) -> Select[Any]:
    """Count the rows of this column's table, without those of removed users.

    SQLite has an optimization for counting all rows of a table, which applies only without a condition.
    """
    all_rows = select(func.count()).select_from(user_id.table)
    hidden = all_rows.where(user_id.in_(_mark))
    return select(all_rows.scalar_subquery() - hidden.scalar_subquery())


def has_many_items(session: Session, user_id: int) -> bool:
    """Whether the user has more than ``DIRECT_DELETE_MAX`` items."""
    one_more = select(items.c.id).where(items.c.owner_id == user_id).limit(1).offset(DIRECT_DELETE_MAX)
    return session.scalar(one_more) is not None


def mark_removed(session: Session, user_id: int, version: int) -> bool:
    """Hide a user and their items, and erase their data; return False if the version is another one."""
    emptied = {"email": "", "email_key": f"removed {user_id}", "hashed_password": "", "version": REMOVED}
    marked = update(users).where(users.c.id == user_id, users.c.version == version).values(emptied)
    connection = session.connection()
    if connection.execute(marked).rowcount == 0:
        return False
    connection.execute(insert(removed_users).values(user_id=user_id))
    return True


def purge_step(session: Session) -> bool:
    """Delete some items of a removed user, and the user after the last item; return False if there is none.

    Concurrent processes work on different users.
    """
    user_id = session.scalar(FIRST_REMOVED.with_for_update(skip_locked=True))
    if user_id is None:
        return False
    until = monotonic() + _STEP
    while batch := session.scalars(select(items.c.id).where(items.c.owner_id == user_id).limit(_BATCH)).all():
        session.execute(delete(items).where(items.c.id.in_(batch)))
        if monotonic() > until:
            break
    else:
        session.execute(delete(removed_users).where(removed_users.c.user_id == user_id))
        session.execute(delete(users).where(users.c.id == user_id))
    session.commit()
    return True
