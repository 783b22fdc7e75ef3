"""Statement parameters for pages, filters and sorts.

Which parameters there are selects the statement.
"""

from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from domain.items import PRICE_MAX
from service_layer.aggregates import AnyAggregate, AtLeast, Condition, Equal, Filter, Words
from service_layer.read_models import ID_MAX, PageParams

Parameters = dict[str, Any]

Filters = tuple[tuple[str, int], ...]
"""The names of filters, each with the number of its parameters, which are called ``<name>_0`` and so on. ``Equal`` has
none if it compares with null, and ``Words`` has one per word."""

ESCAPE = "/"
"""The escape character of LIKE patterns."""

_ESCAPED = str.maketrans({character: ESCAPE + character for character in f"{ESCAPE}%_"})


def filter_parameters(aggregate: AnyAggregate, filter: Filter, dialect: str) -> tuple[Filters, Parameters]:
    """Return the filters, in the order of their declaration, and their parameters."""
    filters: list[tuple[str, int]] = []
    parameters: Parameters = {}
    for name in sorted(filter, key=[*aggregate.filters].index):
        values = _values(aggregate.filters[name], filter[name], dialect)
        filters.append((name, len(values)))
        parameters |= {f"{name}_{n}": value for n, value in enumerate(values)}
    return tuple(filters), parameters


def _values(condition: Condition, value: Any, dialect: str) -> list[Any]:
    if isinstance(condition, Words):
        words = condition.words(value)
        return words if dialect == "sqlite" else [f"%{word.translate(_ESCAPED)}%" for word in words]
    if isinstance(condition, Equal):
        return [] if value is None else [_exactly(condition.key(value))]
    if isinstance(value, Decimal):
        return [_cents(value, ROUND_CEILING if isinstance(condition, AtLeast) else ROUND_FLOOR)]
    return [value]


def page_parameters(page: PageParams) -> Parameters:
    """Return ``after``, ``skip`` and ``rows``: one more than the limit, which shows whether there are more."""
    return {"after": page.after, "skip": page.skip, "rows": page.limit + 1}


def simplify_sort(aggregate: AnyAggregate, page: PageParams, filter: Filter) -> PageParams:
    """Replace a sort by a column that has one value in all rows by a sort by id, with the position to match."""
    column, descending = page.sort.removeprefix("-"), page.sort.startswith("-")
    for name, condition in aggregate.filters.items():
        if name in filter and condition == Equal(column):
            value, start, after = filter[name], page.after_value, page.after
            if after and start != value:
                rows_follow = start is not None and (value is None or (start < value) != descending)  # null is last
                after = 0 if rows_follow else 1 if descending else ID_MAX
            return replace(page, sort="-id" if descending else "id", after=after, after_value=None)
    return page


def sorted_page_parameters(aggregate: AnyAggregate, page: PageParams) -> Parameters:
    """Return the parameters of a page of a sorted list.

    ``reach`` is the number of rows up to the end of the page. ``after`` is missing for a page from the first row on.
    ``value`` is what the row before the page has in the sort column; it is missing if that is null.
    """
    parameters = page_parameters(page) | {"reach": min(page.skip + page.limit + 1, ID_MAX)}
    column, value, descending = page.sort.removeprefix("-"), page.after_value, page.sort.startswith("-")
    if not page.after:
        del parameters["after"]
    elif column == "id" or (value is None and aggregate.is_nullable(column)):
        pass
    elif isinstance(value, Decimal):
        parameters["value"] = _cents(value, ROUND_CEILING if descending else ROUND_FLOOR)
        if Decimal(parameters["value"]).scaleb(-2) != value:  # no row has this value; start before the next one
            parameters["after"] = 0 if descending else ID_MAX
    else:
        parameters["value"] = value
    return parameters


def _exactly(value: Any) -> Any:
    if not isinstance(value, Decimal):
        return value
    cents = _cents(value, ROUND_FLOOR)
    return cents if Decimal(cents).scaleb(-2) == value else -1  # no row has this value


def _cents(amount: Decimal, rounding: str) -> int:
    """Convert to cents; all amounts out of range become one number below or above the range."""
    if amount < 0:
        return -1
    if amount > PRICE_MAX:
        return int(PRICE_MAX.scaleb(2)) + 1
    return int(amount.quantize(Decimal("0.01"), rounding).scaleb(2))
