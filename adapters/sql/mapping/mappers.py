"""The mapping of domain classes to tables."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, event, select
from sqlalchemy.orm import class_mapper, registry
from sqlalchemy.orm.attributes import get_history
from sqlalchemy.orm.exc import UnmappedClassError

from adapters.sql.mapping.removals import is_kept
from adapters.sql.mapping.tables import ENTITIES, metadata, table_of
from domain.users import User
from service_layer.aggregates import AnyAggregate, Stored


def start_mappers() -> None:
    """Map the classes of all aggregates to their tables, once per process."""
    try:
        class_mapper(User)
    except UnmappedClassError:
        mapping = registry(metadata=metadata)
        for table, aggregate in ENTITIES.items():
            mapping.map_imperatively(aggregate.entity, table, version_id_col=table.c.version)
            event.listen(aggregate.entity, "before_update", _check(aggregate))


def locked_row(aggregate: AnyAggregate, id: ColumnElement[Any] | int) -> Select[Any]:
    """Select the row that something is about to refer to, if it is there, and lock it.

    It takes the lock of a foreign key, but without its error: after that, PostgreSQL aborts the transaction, and SQLite
    does not say which foreign key it was.
    """
    table = table_of(aggregate)
    return select(table.c.id).where(table.c.id == id, is_kept(table)).with_for_update(read=True, key_share=True)


def _check(aggregate: AnyAggregate) -> Callable[[object, Connection, Stored], None]:
    def check(_mapper: object, connection: Connection, entity: Stored) -> None:
        entity.check()
        for column, target in aggregate.references.items():
            id = getattr(entity, column)
            changed = id is not None and get_history(entity, column).has_changes()
            if changed and connection.scalar(locked_row(target, id)) is None:
                raise target.not_found

    return check
