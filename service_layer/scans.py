"""Which lists are scans: queries that may read many rows, perhaps all, to find those of one page."""

from threading import local

from service_layer.aggregates import NO_FILTER, AnyAggregate, Equal, Filter, Words
from service_layer.read_models import PageParams

SKIP_MAX = 1_000
"""The largest ``skip`` that does not make a list a scan."""


class ScanRequired(Exception):
    """A read turned out to be a scan in a thread that must not scan. Repeat it in a thread that may."""


class _Thread(local):
    may_scan = True


_thread = _Thread()


def forbid_scans() -> None:
    """Let ``require_scan_thread`` raise in this thread from now on."""
    _thread.may_scan = False


def require_scan_thread() -> None:
    """Check that this thread may scan.

    :raises ScanRequired: it must not.
    """
    if not _thread.may_scan:
        raise ScanRequired


def is_scan(aggregate: AnyAggregate, page: PageParams, filter: Filter = NO_FILTER) -> bool:
    """Whether the cost of a page may grow with the number of rows. A count is always a scan.

    A page is not a scan if its rows are adjacent in one index and the index leads to the first of them.
    """
    return page.skip > SKIP_MAX or (bool(filter) and not _is_indexed(aggregate, page, filter))


def _is_indexed(aggregate: AnyAggregate, page: PageParams, filter: Filter) -> bool:
    conditions = [aggregate.filters[name] for name in filter]
    equal = {condition.column for condition in conditions if isinstance(condition, Equal)}
    if equal & aggregate.unique.keys():  # one row
        return True
    columns = {condition.column for condition in conditions}
    if len(columns) > 1 or any(isinstance(condition, Words) for condition in conditions):
        return False
    if page.sort.removeprefix("-") in columns:
        return bool(equal) or not page.after  # SQLite reads all rows in the range that come before the page
    return page.sort.removeprefix("-") == "id" and len(equal) == len(conditions)
