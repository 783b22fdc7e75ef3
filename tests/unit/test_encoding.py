"""Large answers are encoded in steps: the same bytes as at once."""

import sys
from collections.abc import Sequence
from contextvars import copy_context

import pytest
from orjson import dumps

from entrypoints.api.http.byte_budget import ByteBudget
from entrypoints.api.http.encoding import encode, encode_page
from entrypoints.api.http.unsent import TooManyUnsent, unsent_budget
from service_layer.read_models import ITEMS, USERS, ItemView, Page, UserView

ANY = sys.maxsize


def items(*sizes: int) -> list[ItemView]:
    return [
        {"title": "é", "description": "\x01" * size or None, "price": 0.1, "id": n, "owner_id": 1}
        for n, size in enumerate(sizes)
    ]


def user(*sizes: int) -> UserView:
    return {"email": "a@example.com", "id": 1, "is_active": True, "items": items(*sizes)}


SIZES: list[Sequence[int]] = [[], [0], [10_000], [10] * 100, [10_000] * 100, [0, 10_000] * 50, [10_000] * 31]


@pytest.mark.parametrize("sizes", SIZES)
def test_in_steps_it_is_the_same_as_at_once(sizes: Sequence[int]) -> None:
    assert encode(user(*sizes)) == dumps(user(*sizes))
    listed: Page[ItemView] = Page(items(*sizes), False)
    assert encode_page(ITEMS, listed, ANY) == (listed, dumps(listed.rows))
    users = Page([user(*sizes), user(), user(1, 2), user(*sizes), user(3), user(*sizes)], True)
    assert encode_page(USERS, users, ANY) == (users, dumps(users.rows))


@pytest.mark.parametrize("sizes", SIZES)
def test_a_page_has_as_many_rows_as_fit_and_one_at_least(sizes: Sequence[int]) -> None:
    for page in (Page(items(*sizes), False), Page([user(*sizes)] * 6, False), Page([user(1)] * 9, False)):
        whole = len(dumps(page.rows))
        for most in (1, whole // 3, whole // 2, whole - 1):
            aggregate = USERS if "items" in [*page.rows, {}][0] else ITEMS
            some, body = encode_page(aggregate, page, most)
            assert body == dumps(some.rows)
            assert len(body) <= most + 2 or len(some.rows) <= 1
            assert some.more == (len(some.rows) < len(page.rows))
            if some.more:
                assert len(dumps(page.rows[: len(some.rows) + 1])) > most


def test_encoding_stops_where_there_is_no_room_for_the_response() -> None:
    def in_context() -> None:
        unsent_budget.set(ByteBudget(limit=100_000))
        large = user(*[10_000] * 100)
        with pytest.raises(TooManyUnsent):
            encode(large)
        with pytest.raises(TooManyUnsent):
            encode_page(USERS, Page([large], False), ANY)
        assert encode(user(1)) == dumps(user(1))

    copy_context().run(in_context)
