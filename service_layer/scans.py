"""Which lists are scans: the database passes over rows, perhaps all of them, before it has what is asked for."""

from service_layer.read_models import ALL_ITEMS, ItemFilter, Owner, PageParams

SKIP_MAX = 1_000
"""Rows that any list may pass over."""

_INDEXED = {"id": {"owner", "title"}, "title": {"title"}, "price": {"price"}}
"""By what a list is sorted by: the filters that leave its rows one behind the other in an index."""


def is_scan(page: PageParams, wanted: ItemFilter | None = None) -> bool:
    """Whether a page may cost more the more rows there are; a count always does.

    It does not if one index has its rows one behind the other and leads to the first of them. Lists of users have
    such an index, whatever they are filtered by.

    :param wanted: the filter of a list of items.
    """
    return page.skip > SKIP_MAX or (wanted is not None and wanted != ALL_ITEMS and not _is_indexed(page, wanted))


def _is_indexed(page: PageParams, wanted: ItemFilter) -> bool:
    filters = {
        "owner": wanted.owner is not Owner.ANY,
        "title": wanted.title is not None,
        "price": wanted.min_price is not None or wanted.max_price is not None,
        "words": bool(wanted.words),
    }
    asked = {name for name, is_asked in filters.items() if is_asked}
    if "price" in asked and page.after:  # SQLite passes over all that are in the range and before the page
        return False
    return len(asked) <= 1 and asked <= _INDEXED[wanted.sort.removeprefix("-")]
