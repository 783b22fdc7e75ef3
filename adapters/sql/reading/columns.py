"""The columns of an aggregate as drivers return them, and views made of rows."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Boolean, ColumnElement, FromClause, String, Table, type_coerce
from sqlalchemy.types import TypeEngine

from adapters.sql.mapping.tables import metadata
from service_layer.aggregates import AnyAggregate

Column = ColumnElement[Any]
Row = tuple[Any, ...]

_PARAMETER_TYPES: dict[type, type[TypeEngine[Any]]] = {
    str: String,  # without a length: a cast to the column's length would truncate the value
    int: BigInteger,
    bool: Boolean,
    Decimal: BigInteger,
}


def parameter_type(aggregate: AnyAggregate, column: str) -> type[TypeEngine[Any]]:
    """The type of a parameter that is compared with this column. Decimals are cents."""
    return _PARAMETER_TYPES[aggregate.kind(column)]


def table_of(aggregate: AnyAggregate) -> Table:
    return metadata.tables[aggregate.name]


def column_of(aggregate: AnyAggregate, name: str, rows: FromClause | None = None) -> Column:
    """A column of the table, or of an alias of it. Decimals are cents."""
    column: Column = (table_of(aggregate) if rows is None else rows).c[name]
    return type_coerce(column, BigInteger).label(name) if aggregate.kind(name) is Decimal else column


def view_columns(aggregate: AnyAggregate, rows: FromClause | None = None) -> list[Column]:
    """The columns of the view, in its order."""
    return [column_of(aggregate, name, rows) for name in aggregate.columns]


@cache
def views_of_rows(aggregate: AnyAggregate) -> Callable[[Sequence[Row]], list[Any]]:
    """A function that turns rows of ``view_columns`` into views.

    It is compiled for the aggregate, as ``dataclass`` does: a loop over the columns takes two and a half times as long.
    """
    conversions = {Decimal: "{0} / 100", bool: "bool({0})"}
    fields = []
    for name in aggregate.columns:
        value = conversions.get(aggregate.kind(name), "{0}").format(name)
        if value != name and aggregate.is_nullable(name):
            value = f"None if {name} is None else {value}"
        fields.append(f"{name!r}: {value}")
    source = f"lambda rows: [{{{', '.join(fields)}}} for {', '.join(aggregate.columns)}, in rows]"
    code = compile(source, f"<views of {aggregate.name}>", "eval")
    function: Callable[[Sequence[Row]], list[Any]] = eval(code)  # noqa: S307  # the names are those of a TypedDict's fields
    return function
