"""Which lists are scans: queries that may read many rows, perhaps all, to find those of one page."""

from dataclasses import fields
from threading import local

from service_layer.read_models import ALL_ITEMS, ItemFilter, PageParams

SKIP_MAX = 1_000
"""The largest ``skip`` that does not make a list a scan."""

_INDEXED = {"id": {"owner", "title"}, "title": {"title"}, "price": {"price"}}
"""By sort column: the filters whose rows are adjacent in an index, in the order of that sort.
Lists with any other filter are scans."""

_FILTERS = tuple(field.name for field in fields(ItemFilter) if field.name != "sort")


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


def is_scan(page: PageParams, filter: ItemFilter | None = None) -> bool:
    """Whether the cost of a page may grow with the number of rows. A count is always a scan.

    A page is not a scan if its rows are adjacent in one index and the index leads to the first of them. Lists of
    users have such an index for every filter.

    :param filter: the filter of a list of items.
    """
    return page.skip > SKIP_MAX or (filter is not None and filter != ALL_ITEMS and not _is_indexed(page, filter))


def _is_indexed(page: PageParams, filter: ItemFilter) -> bool:
    changed = [name for name in _FILTERS if getattr(filter, name) != getattr(ALL_ITEMS, name)]
    filters = {"price" if name in ("min_price", "max_price") else name for name in changed}
    if "price" in filters and page.after:  # SQLite reads all rows in the price range that come before the page
        return False
    return len(filters) <= 1 and filters <= _INDEXED[filter.sort.removeprefix("-")]
