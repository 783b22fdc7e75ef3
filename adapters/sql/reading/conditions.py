"""SQL conditions for filters; ``parameters.py`` provides their parameters."""

from functools import cache

from sqlalchemy import ColumnElement, String, and_, bindparam, case, func, null, true

from adapters.sql.mapping.removals import is_marked, not_removed, user_columns
from adapters.sql.reading.columns import Column, column_of, parameter_type, table_of
from adapters.sql.reading.parameters import ESCAPE, Filters
from service_layer.aggregates import AnyAggregate, AtLeast, Equal, Words


def filter_parameter(aggregate: AnyAggregate, name: str) -> Column:
    """The parameter of a filter that has one."""
    return bindparam(f"{name}_0", type_=parameter_type(aggregate, aggregate.filters[name].column))


def conditions(aggregate: AnyAggregate, filters: Filters, dialect: str) -> dict[str, ColumnElement[bool]]:
    """The condition of each filter, by its name."""
    return {name: _condition(aggregate, name, count, dialect) for name, count in filters}


def _condition(aggregate: AnyAggregate, name: str, count: int, dialect: str) -> ColumnElement[bool]:
    condition = aggregate.filters[name]
    column = column_of(aggregate, condition.column)
    if isinstance(condition, Words):
        words = (bindparam(f"{name}_{n}", type_=String) for n in range(count))
        return and_(true(), *(_contains(column, word, dialect) for word in words))
    if not count:
        return column.is_(None)
    value = filter_parameter(aggregate, name)
    if not isinstance(condition, Equal):
        return column >= value if isinstance(condition, AtLeast) else column <= value
    if dialect == "sqlite" and any(column is each for each in user_columns(table_of(aggregate))):
        # it checks a condition with a subquery for every row, see ``visible``
        return column == case((is_marked(value), null()), else_=value)
    return column == value


def _contains(column: Column, word: ColumnElement[str], dialect: str) -> ColumnElement[bool]:
    if dialect == "sqlite":  # its LIKE does not distinguish U+FFFD, U+FFFE and U+FFFF
        return func.instr(column, word) > 0
    return column.like(word, escape=ESCAPE)


@cache
def hidden_columns(aggregate: AnyAggregate, filters: Filters = ()) -> list[Column]:
    """The columns with users whose rows are hidden if they are removed, without those that have to equal a value."""
    equal = {aggregate.filters[name].column for name, _ in filters if isinstance(aggregate.filters[name], Equal)}
    return [column for column in user_columns(table_of(aggregate)) if column.key not in equal]


def visible(aggregate: AnyAggregate, filters: Filters, dialect: str) -> list[ColumnElement[bool]]:
    """The conditions that leave out rows of removed users, in addition to ``conditions``."""
    users = [Equal(column.key) for column in user_columns(table_of(aggregate))]
    one_user = [name for name, count in filters if count and aggregate.filters[name] in users and dialect != "sqlite"]
    return [
        *(~is_marked(filter_parameter(aggregate, name)) for name in one_user),  # checked once, before any row is read
        *map(not_removed, hidden_columns(aggregate, filters)),
    ]
