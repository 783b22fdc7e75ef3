"""Statements for users with their items.

Parameters are the id ``user``, and ``after``, ``skip`` and ``rows`` for pages.
"""

from typing import Any, TypeVar

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    FromClause,
    GenerativeSelect,
    Select,
    and_,
    bindparam,
    case,
    func,
    literal,
    null,
    select,
    true,
    tuple_,
    union_all,
)

from adapters.sql.mapping.removals import NO_REMOVED_USERS
from adapters.sql.mapping.tables import REMOVED, items, users
from adapters.sql.reading.columns import view_columns
from adapters.sql.reading.conditions import conditions, filter_parameter
from adapters.sql.reading.parameters import Filters
from service_layer.read_models import EMBEDDED_ITEMS, ID_MAX, ITEMS, USERS


def user_statement(dialect: str) -> Select[Any]:
    """Select a user with a page of their items."""
    own = _own_items_by_range if dialect == "postgresql" else _own_items
    own_items = paginate(own(bindparam("user", type_=BigInteger), AFTER)).subquery("own_items")
    return (
        select(*USER_COLUMNS, *own_items.c)
        .select_from(users.outerjoin(own_items, true()))
        .where(users.c.id == bindparam("user"), _IS_KEPT)
        .order_by(own_items.c.id)
    )


def user_page(dialect: str, filters: Filters) -> Select[Any] | CompoundSelect[Any]:
    """Select a page of users with their first items.

    Rows are sorted by user and item, except on MariaDB, where a row for each user, with the item id 0, comes first.
    """
    if dialect == "mysql":
        return _user_page_on_mariadb(filters)
    some_users = paginate(_some_users(dialect, filters)).subquery("some_users")
    first_items: FromClause
    condition: ColumnElement[bool]
    if dialect == "postgresql":
        first_items = _own_items_by_range(some_users.c.user_id, literal(0)).limit(EMBEDDED_ITEMS).lateral("first_items")
        condition = true()
    else:
        first_items = items.alias("first_items")
        condition = and_(
            first_items.c.owner_id == some_users.c.user_id, first_items.c.id <= _last_embedded(some_users.c.user_id)
        )
    return (
        select(*some_users.c, *first_items.c if dialect == "postgresql" else item_columns(first_items))
        .select_from(some_users.outerjoin(first_items, condition))
        .order_by(some_users.c.user_id, first_items.c.id)
    )


def _user_page_on_mariadb(filters: Filters) -> CompoundSelect[Any]:
    """The users, then their items.

    MariaDB stops at the last embedded item only if it reads the index by range, which it does not in an outer join:
    that read all of a user's 300,000 index entries in 380 ms, this takes 18. A union that is sorted would be copied
    to a temporary table first.
    """
    some_users = paginate(_some_users("mysql", filters)).subquery("some_users")
    nothing = [(literal(0) if column is items.c.id else null()).label(column.key) for column in item_columns(items)]
    last_id = _last_embedded(users.c.id).label("last_id")
    owners = paginate(_some_users("mysql", filters).add_columns(last_id)).subquery("owners")
    first_items = items.alias("first_items")
    is_owner = and_(first_items.c.owner_id >= owners.c.user_id, first_items.c.owner_id <= owners.c.user_id)
    embedded = (
        select(owners.c.user_id, null().label("email"), null().label("is_active"), *item_columns(first_items))
        .prefix_with("STRAIGHT_JOIN")
        .select_from(owners.join(first_items, and_(is_owner, first_items.c.id <= owners.c.last_id)))
        .with_hint(first_items, "FORCE INDEX (ix_items_owner_id_id)")
    )
    return union_all(select(*some_users.c, *nothing), embedded)


def _last_embedded(user_id: ColumnElement[int]) -> ColumnElement[int]:
    """The id of the last item that is part of a user, by an index seek of its own. SQLite stops reading there."""
    last = _own_items(user_id, literal(0)).with_only_columns(items.c.id).limit(1).offset(EMBEDDED_ITEMS - 1)
    return func.coalesce(last.scalar_subquery(), ID_MAX)


AFTER = bindparam("after", type_=BigInteger)
_ROWS = bindparam("rows", type_=BigInteger)
_IS_KEPT = users.c.version != REMOVED
USER_COLUMNS = (users.c.id.label("user_id"), users.c.email, users.c.is_active)


def _some_users(dialect: str, filters: Filters) -> Select[Any]:
    found = conditions(USERS, filters, dialect)
    if dialect == "postgresql" and "is_active" in found:  # see ``_own_items_by_range``
        is_active, active = users.c.is_active, filter_parameter(USERS, "is_active")
        found["is_active"] = and_(tuple_(is_active, users.c.id) > tuple_(active, AFTER), is_active <= active)
        return select(*USER_COLUMNS).where(*found.values(), _IS_KEPT).order_by(is_active, users.c.id)
    statement = select(*USER_COLUMNS).where(users.c.id > AFTER, *found.values(), _IS_KEPT).order_by(users.c.id)
    if [*found] == ["is_active"]:  # otherwise MariaDB reads all index entries before the page
        statement = statement.with_hint(users, "FORCE INDEX (ix_users_is_active_id)", "mysql")
    return statement


def item_columns(rows: FromClause) -> list[ColumnElement[Any]]:
    return view_columns(ITEMS, rows)


Rows = TypeVar("Rows", bound=GenerativeSelect)


def paginate(statement: Rows) -> Rows:
    """Limit a statement to a page and one more row."""
    return statement.limit(_ROWS).offset(bindparam("skip", type_=BigInteger))


def unless_hidden(page: Select[Any] | CompoundSelect[Any], dialect: str) -> Select[Any] | CompoundSelect[Any]:
    """Make a page return no rows, and read none, while a removed user has items that are not deleted yet."""
    if dialect == "sqlite":  # it would check a condition with a subquery for every row
        return page.limit(case((NO_REMOVED_USERS, _ROWS), else_=0))
    assert isinstance(page, Select)  # only SQLite's lists are unions
    return page.where(NO_REMOVED_USERS)


def _own_items(owner: ColumnElement[int], after: ColumnElement[int]) -> Select[Any]:
    return select(*item_columns(items)).where(items.c.owner_id == owner, items.c.id > after).order_by(items.c.id)


def _own_items_by_range(owner: ColumnElement[int], after: ColumnElement[int]) -> Select[Any]:
    """The same rows, phrased so that PostgreSQL uses the index on (owner_id, id).

    With an equality and an order by id it may instead scan all items in id order until it has found enough of this
    owner's. With 200,000 items that took 12 ms for each user without items; this way, a page of a hundred such users
    took 0.4 ms.
    """
    return (
        select(*item_columns(items))
        .where(tuple_(items.c.owner_id, items.c.id) > tuple_(owner, after), items.c.owner_id <= owner)
        .order_by(items.c.owner_id, items.c.id)
    )
