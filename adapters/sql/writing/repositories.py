"""Repositories: entities that are loaded and stored by a session."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic

from sqlalchemy import ColumnElement, Dialect, Select, and_, bindparam, exists, insert, or_, select, true
from sqlalchemy.orm import Session, make_transient_to_detached
from sqlalchemy.orm.util import identity_key

from adapters.sql.engine.driver import Query, execute, query, translate_error
from adapters.sql.engine.errors import translate_errors
from adapters.sql.mapping.mappers import locked_row
from adapters.sql.mapping.removals import has_many_rows, is_kept, mark_removed
from adapters.sql.mapping.tables import ENTITIES, table_of
from domain.errors import BelongingsError, StaleVersion
from service_layer.aggregates import Aggregate, AnyAggregate, Entity, Stored, require_id
from service_layer.read_models import USERS

Rule = tuple[ColumnElement[bool], type[BelongingsError]]
"""What must hold for a new row, whose values are parameters, and the error if it does not."""


def _parameter_for(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return bindparam(column.key, type_=column.type)


def _rules(aggregate: AnyAggregate) -> list[Rule]:
    columns = table_of(aggregate).c
    rules: list[Rule] = []
    for name, taken in aggregate.unique.items():
        rules.append((~exists().where(columns[name] == _parameter_for(columns[name])), taken))
    for name, target in aggregate.references.items():
        id = _parameter_for(columns[name])
        rules.append((or_(id.is_(None), locked_row(target, id).exists()), target.not_found))
    return rules


@dataclass(frozen=True, slots=True)
class _Insertion:
    """A compiled INSERT that inserts only if all rules hold, without using up an id otherwise.

    :param columns: the names, and the conversions of values for the driver.
    """

    query: Query
    returns: bool
    columns: list[tuple[str, Callable[[Any], Any] | None]]
    rules: list[Rule]


@cache
def _insertion(aggregate: AnyAggregate, dialect: Dialect) -> _Insertion:
    table, rules = table_of(aggregate), _rules(aggregate)
    columns = [column for column in table.c if not column.primary_key]
    row = select(*map(_parameter_for, columns)).where(and_(true(), *(condition for condition, _ in rules)))
    statement = insert(table).from_select(columns, row)
    returns = dialect.name == "postgresql"  # its cursors have no lastrowid
    return _Insertion(
        query(statement.returning(table.c.id) if returns else statement, dialect),
        returns,
        [(column.key, column.type.dialect_impl(dialect).bind_processor(dialect)) for column in columns],
        rules,
    )


@cache
def _get_for_update(aggregate: AnyAggregate) -> Select[Any]:
    table = table_of(aggregate)
    return select(aggregate.entity).where(table.c.id == bindparam("row_id"), is_kept(table)).with_for_update()


@cache
def _referring(aggregate: AnyAggregate) -> dict[type[Stored], AnyAggregate]:
    """The aggregates whose entities the database deletes together with one of this aggregate, by their classes."""
    direct = [each for each in ENTITIES.values() if aggregate in each.references.values()]
    return {each.entity: each for one in direct for each in (one, *_referring(one).values())}


class SqlAlchemyRepository(Generic[Entity]):
    """Checks the aggregate's rules in the INSERT itself; in a race, the constraint decides."""

    def __init__(self, session: Session, aggregate: Aggregate[Entity, Any]) -> None:
        self._session = session
        self._aggregate = aggregate
        self._loaded: list[Entity] = []  # keeps them alive: a session has weak references only

    def add(self, entity: Entity) -> None:
        with translate_errors():
            self._session.flush()  # changes that were made before may free values
            entity.check()
            connection = self._session.connection()
            insertion = _insertion(self._aggregate, connection.dialect)
            if not self._insert(insertion, entity):
                *others, (_, error) = insertion.rules
                values = {name: getattr(entity, name) for name, _ in insertion.columns}
                broken = (each for rule, each in others if not connection.scalar(select(rule), values))
                raise next(broken, error)

    def _insert(self, insertion: _Insertion, entity: Entity) -> bool:
        """Insert a row; on success set the id and attach the entity to the session.

        ``Session.add`` and ``flush`` have the same effect but take four times as long.
        """
        connection = self._session.connection()
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
        self._session.add(entity)
        return True

    def get(self, id: int) -> Entity:
        """Lock the row, waiting for others to release it. SQLite has no row locks, but only one writer."""
        with translate_errors():
            found: Entity | None = self._session.scalar(_get_for_update(self._aggregate), {"row_id": id})
        found = found or self._session.identity_map.get(identity_key(self._aggregate.entity, id))
        if found is None:
            raise self._aggregate.not_found
        self._loaded.append(found)
        return found

    def find(self, column: str, value: object, limit: int, *, for_update: bool = False) -> Sequence[Entity]:
        table = table_of(self._aggregate)
        statement = select(self._aggregate.entity).where(table.c[column] == value, is_kept(table))
        statement = statement.order_by(table.c.id).limit(limit)
        if for_update:  # MariaDB locks every row that it reads, and by another index that may be all rows
            index = f"FORCE INDEX (ix_{table.name}_{column}_id)"
            statement = statement.with_for_update().with_hint(table, index, "mysql")
        with translate_errors():
            self._session.flush()
            found = self._session.scalars(statement).all()
        self._loaded.extend(found)
        return found

    def remove(self, entity: Entity) -> None:
        kinds = _referring(self._aggregate)
        with translate_errors():
            referring = [each for each in self._session if type(each) in kinds]
            existing = self._existing(referring)
            if self._aggregate is USERS and has_many_rows(self._session, require_id(entity)):
                self._mark_removed(entity)
            else:
                self._session.delete(entity)
                self._session.flush()
            for each in existing - self._existing(existing):
                self._session.expunge(each)  # the database has deleted it too

    def _mark_removed(self, user: Entity) -> None:
        if user in self._session:
            self._session.expunge(user)
        self._session.flush()
        if not mark_removed(self._session, require_id(user), user.version):
            raise StaleVersion

    def _existing(self, entities: Iterable[Any]) -> set[Any]:
        """Those of these entities whose rows exist."""
        found = set()
        for kind, aggregate in _referring(self._aggregate).items():
            loaded = {each.id: each for each in entities if type(each) is kind}
            if loaded:
                table = table_of(aggregate)
                ids = self._session.scalars(select(table.c.id).where(table.c.id.in_(loaded), is_kept(table)))
                found |= {loaded[id] for id in ids}
        return found
