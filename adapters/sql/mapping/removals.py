"""Removing users with many items: first they are marked, then their items are deleted in steps.

To delete a million items takes SQLite a minute, and nobody else can write meanwhile. So one short transaction marks
the user as removed, and from then on no statement finds the user or the items.
"""

from time import monotonic
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, Table, delete, func, insert, or_, select, update
from sqlalchemy.orm import Session

from adapters.sql.mapping.tables import REMOVED, items, removed_users, users

DIRECT_DELETE_MAX = 1_000
"""Items at most that are deleted together with their user."""

_STEP = 0.05
"""Seconds of deleting, after which others may write."""

_BATCH = 100
"""Items that one statement deletes."""


_mark = select(removed_users.c.user_id)

FIRST_REMOVED = _mark.limit(1)

NO_REMOVED_USERS = ~_mark.exists()
"""Whether nothing is hidden. Servers plan it in a third of the time that ``not_removed`` takes them."""


def not_removed(user_id: ColumnElement[int | None]) -> ColumnElement[bool]:
    """Whether the user with this id is not marked as removed; also true of null, the owner of nobody's items.

    Databases answer the first half once for a statement, which is nearly always all that they have to do.
    """
    return or_(NO_REMOVED_USERS, ~_mark.where(removed_users.c.user_id == user_id).exists())


def is_visible(table: Table) -> ColumnElement[bool]:
    """Whether a row of users or items is not hidden."""
    return not_removed(items.c.owner_id if table is items else table.c.id)


def count_visible(user_id: Column[int]) -> Select[Any]:
    """One row of one number: how many rows there are in the table of this column, but for those of removed users.

    SQLite knows how many rows a table has without looking at them, if that is all that it is asked.
    """
    all_rows = select(func.count()).select_from(user_id.table)
    hidden = all_rows.where(user_id.in_(_mark))
    return select(all_rows.scalar_subquery() - hidden.scalar_subquery())


def has_many_items(session: Session, user_id: int) -> bool:
    """Whether the user has more items than are deleted in one transaction."""
    one_more = select(items.c.id).where(items.c.owner_id == user_id).limit(1).offset(DIRECT_DELETE_MAX)
    return session.scalar(one_more) is not None


def mark_removed(session: Session, user_id: int, version: int) -> bool:
    """Hide a user and all of their items, free the address, and forget the rest; whether the version was this one."""
    emptied = {"email": "", "email_key": f"removed {user_id}", "hashed_password": "", "version": REMOVED}
    marked = update(users).where(users.c.id == user_id, users.c.version == version).values(emptied)
    connection = session.connection()
    if connection.execute(marked).rowcount == 0:
        return False
    connection.execute(insert(removed_users).values(user_id=user_id))
    return True


def purge_step(session: Session) -> bool:
    """Delete some items of a user who is marked, and with the last of them the user; whether there was one.

    Of several processes that do so at once, each takes another user.
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
