"""What lists of every aggregate promise, in every store: each filter, in each order, in pages, counted."""

from collections.abc import Iterator
from typing import Any

import pytest

from adapters.sql.mapping.tables import ENTITIES, metadata
from service_layer.aggregates import NO_FILTER, AnyAggregate, AtLeast, Equal, Filter, Words
from service_layer.read_models import ID_MAX, USERS, PageParams
from service_layer.scans import is_scan
from tests.contract.samples import add_sample, stored_sample, values
from tests.contract.stored import Units

AGGREGATES = list(ENTITIES.values())
SORTS = [(each, sign + column) for each in AGGREGATES for column in ("id", *each.sorts) for sign in ("", "-")]
SORTS.remove((USERS, "-id"))
CURSOR_TEXT_MAX = 490
"""Code points of the longest text whose cursor has 4,000 characters, even if JSON needs six for each."""

each_aggregate = pytest.mark.parametrize("aggregate", AGGREGATES, ids=repr)
each_sort = pytest.mark.parametrize(("aggregate", "sort"), SORTS, ids=repr)

Row = dict[str, Any]


def store_rows(units: Units, aggregate: AnyAggregate) -> list[Row]:
    """Rows of which some have equal values, and some have none where that is allowed."""
    targets = {column: stored_sample(units, target, 1) for column, target in aggregate.references.items()}
    columns = {condition.column for condition in aggregate.filters.values()} | {"id", *aggregate.sorts}
    rows = []
    with units() as uow:
        for n in range(9):
            given: Row = {column: id for column, id in targets.items() if n % 2}
            for column in values(aggregate, n):
                if aggregate.is_nullable(column) and n % 3 == 0:
                    given[column] = None
                elif aggregate.kind(column) is bool:
                    given[column] = n % 4 < 2
                elif column in aggregate.sorts and column not in aggregate.unique:
                    given[column] = values(aggregate, n % 4)[column]
            entity = add_sample(uow, aggregate, n, **given)
            rows.append({column: getattr(entity, column) for column in columns})
        uow.commit()
    return rows


def filters_with_matches(aggregate: AnyAggregate, rows: list[Row]) -> Iterator[tuple[Filter, list[Row]]]:
    """Filters, each with the rows that match it: by the values of some rows, and all but one by two filters at once."""
    yield NO_FILTER, rows
    for name, condition in aggregate.filters.items():
        for value in {row[condition.column] for row in rows[:4]}:
            stored = [(row, row[condition.column]) for row in rows]
            if isinstance(condition, Equal):
                yield {name: value}, [row for row, other in stored if other == value]
            elif isinstance(condition, Words):
                yield {name: value[:2].upper()}, [row for row, other in stored if value[:2] in other]
            elif value is not None:
                known = [(row, other) for row, other in stored if other is not None]
                is_least = isinstance(condition, AtLeast)
                yield {name: value}, [row for row, other in known if (other >= value if is_least else other <= value)]


def in_order(rows: list[Row], sort: str) -> list[int]:
    """By id, and then, since sorting is stable, by value; those without one are put behind the others."""
    column, reverse = sort.removeprefix("-"), sort.startswith("-")
    rows = sorted(rows, key=lambda row: row["id"], reverse=reverse)
    valued = sorted([row for row in rows if row[column] is not None], key=lambda row: row[column], reverse=reverse)
    return [row["id"] for row in (*valued, *(row for row in rows if row[column] is None))]


@each_sort
def test_every_filter_goes_with_every_order_and_with_pages(
    unit_of_work: Units, aggregate: AnyAggregate, sort: str
) -> None:
    rows = store_rows(unit_of_work, aggregate)
    by_id, column = {row["id"]: row for row in rows}, sort.removeprefix("-")
    views = unit_of_work().views
    for filter, matching in filters_with_matches(aggregate, rows):
        found: list[int] = []
        place: Row = {}
        for _ in range(9):
            page = views.list(aggregate, PageParams(sort=sort, limit=2, **place), filter)
            found += [row["id"] for row in page.rows]
            if not page.more:
                break
            place = {"after": found[-1], "after_value": None if column == "id" else by_id[found[-1]][column]}
        assert found == in_order(matching, sort), filter
        assert views.count(aggregate, filter) == len(matching), filter
        skipped = views.list(aggregate, PageParams(sort=sort, skip=1), filter)
        assert [row["id"] for row in skipped.rows] == found[1:], filter


@each_aggregate
def test_a_row_has_the_same_view_wherever_it_is_read(unit_of_work: Units, aggregate: AnyAggregate) -> None:
    rows = store_rows(unit_of_work, aggregate)
    views = unit_of_work().views
    listed = views.list(aggregate, PageParams()).rows
    assert [views.read(aggregate, row["id"]) for row in rows] == listed
    with unit_of_work() as uow:
        for row, view in zip(rows, listed, strict=True):
            shown = aggregate.view_of(uow.repository(aggregate).get(row["id"]))
            assert repr({name: view[name] for name in shown}) == repr(shown)
    assert views.read(aggregate, ID_MAX) is None


@each_aggregate
def test_unknown_filters_are_refused(unit_of_work: Units, aggregate: AnyAggregate) -> None:
    views, unknown = unit_of_work().views, {"no such filter": 1}
    with pytest.raises((KeyError, ValueError)):
        views.list(aggregate, PageParams(), unknown)
    with pytest.raises((KeyError, ValueError)):
        views.count(aggregate, unknown)


@each_aggregate
def test_whatever_is_not_a_scan_has_an_index(aggregate: AnyAggregate) -> None:
    """The lists of which ``is_scan`` says that they are none are in the order of an index of the column and the id."""
    indexes = [index.columns.keys() for index in metadata.tables[aggregate.name].indexes]
    indexes += [[column, "id"] for column in aggregate.unique]
    quick = {
        condition.column
        for name, condition in aggregate.filters.items()
        if not is_scan(aggregate, PageParams(), {name: None})
    }
    assert [column for column in sorted({*quick, *aggregate.sorts}) if [column, "id"] not in indexes] == []


@each_aggregate
def test_views_show_what_lists_are_sorted_by_and_cursors_have_room_for_it(aggregate: AnyAggregate) -> None:
    assert set(aggregate.sorts) <= set(aggregate.columns)
    columns = metadata.tables[aggregate.name].c
    texts = [column for column in aggregate.sorts if aggregate.kind(column) is str]
    assert [column for column in texts if columns[column].type.length > CURSOR_TEXT_MAX] == []  # type: ignore[attr-defined]  # a string
    long = {column for column in aggregate.columns if (getattr(columns[column].type, "length", None) or 0) > 1_000}
    assert long <= aggregate.long_texts.keys()
