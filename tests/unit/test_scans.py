"""Which lists are scans."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from entrypoints.api.cursors import cursor
from entrypoints.api.queries import ItemQuery, UserQuery
from service_layer.read_models import ITEMS, ItemView
from service_layer.scans import SKIP_MAX, ScanRequired, forbid_scans, is_scan, require_scan_thread

LAST: ItemView = {"title": "Towel", "description": None, "price": 2.5, "id": 7, "owner_id": None}


@pytest.mark.parametrize(
    ("query", "scan"),
    [
        ({}, False),
        ({"sort": "-price"}, False),
        ({"skip": SKIP_MAX}, False),
        ({"skip": SKIP_MAX + 1}, True),
        ({"offset": SKIP_MAX + 1}, True),
        ({"after": 900_000}, False),
        ({"q": "zebra"}, True),
        ({"owner_id": 1}, False),
        ({"owner_id": "null", "sort": "-id"}, False),
        ({"owner_id": 1, "sort": "price"}, True),
        ({"owner_id": 1, "title": "Towel"}, True),
        ({"title": "Towel"}, False),
        ({"title": "Towel", "sort": "-title"}, False),
        ({"title": "Towel", "sort": "price"}, True),
        ({"min_price": 1, "sort": "price"}, False),
        ({"min_price": 1, "max_price": 2, "sort": "-price"}, False),
        ({"min_price": 1, "sort": "price", "cursor": cursor("price", LAST)}, True),
        ({"sort": "price", "cursor": cursor("price", LAST)}, False),
        ({"min_price": 1}, True),
        ({"max_price": 1, "sort": "title"}, True),
    ],
)
def test_a_list_is_a_scan_unless_an_index_leads_to_its_rows(query: dict[str, Any], scan: bool) -> None:
    parsed = ItemQuery(**query)
    assert is_scan(ITEMS, parsed.page, parsed.filter) is scan
    assert parsed.pool == ("scanning" if scan else "listing")


def test_no_filter_for_a_unique_value_makes_a_scan() -> None:
    assert UserQuery(email="rick@example.com", is_active=True).pool == "listing"
    assert UserQuery(is_active=True).pool == "listing"


def test_a_scan_is_possible_in_every_thread_that_does_not_forbid_it() -> None:
    with ThreadPoolExecutor(1, initializer=forbid_scans) as thread, pytest.raises(ScanRequired):
        thread.submit(require_scan_thread).result()
    require_scan_thread()
