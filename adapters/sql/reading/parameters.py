"""What lists of users and items are asked for, as parameters of statements.

Which parameters there are decides which statement it is. Their order is always the same.
"""

from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from domain.items import PRICE_MAX
from domain.text import fold_text
from domain.users import canonical_email
from service_layer.read_models import ID_MAX, ItemFilter, Owner, PageParams, Sort, UserFilter

Asked = dict[str, Any]

ESCAPE = "/"
"""In patterns, before a sign that means itself."""

_AS_THEMSELVES = str.maketrans({sign: ESCAPE + sign for sign in f"{ESCAPE}%_"})


def user_parameters(filter: UserFilter) -> Asked:
    """``email_key`` and ``active``, as far as they are asked for."""
    asked: Asked = {}
    if filter.email is not None:
        asked["email_key"] = canonical_email(filter.email)
    if filter.is_active is not None:
        asked["active"] = filter.is_active
    return asked


def item_parameters(filter: ItemFilter, dialect: str) -> Asked:
    """``owner`` or ``nobody``, ``title``, ``least`` and ``most`` in cents, and each word or its pattern."""
    asked: Asked = {}
    if filter.owner is Owner.NONE:
        asked["nobody"] = True
    elif filter.owner is not Owner.ANY:
        asked["owner"] = filter.owner
    if filter.title is not None:
        asked["title"] = filter.title
    if filter.min_price is not None:
        asked["least"] = _cents(filter.min_price, ROUND_CEILING)
    if filter.max_price is not None:
        asked["most"] = _cents(filter.max_price, ROUND_FLOOR)
    for n, word in enumerate(filter.words):
        asked[f"word{n}"] = fold_text(word) if dialect == "sqlite" else f"%{fold_text(word).translate(_AS_THEMSELVES)}%"
    return asked


def page_parameters(page: PageParams) -> Asked:
    """``after``, ``skip`` and ``rows``: one more than is shown tells whether there are more."""
    return {"after": page.after, "skip": page.skip, "rows": page.limit + 1}


def simplify_sort(filter: ItemFilter, page: PageParams) -> tuple[Sort, PageParams]:
    """To sort items of one title by title is to sort them by id: that sort, and where the page begins in it."""
    title, place = filter.title, page.after_value
    if title is None or not filter.sort.endswith("title"):
        return filter.sort, page
    descending = filter.sort.startswith("-")
    if page.after and isinstance(place, str) and place != title:
        all_behind = (place < title) != descending
        page = replace(page, after=0 if all_behind else 1 if descending else ID_MAX)
    return "-id" if descending else "id", page


def sorted_page_parameters(page: PageParams, sort: Sort) -> Asked:
    """The same with ``reach``, their sum; without ``after`` from the beginning; ``value`` is the title or the cents
    of the place to begin behind, and not there among items without a price."""
    asked = page_parameters(page) | {"reach": min(page.skip + page.limit + 1, ID_MAX)}
    value, descending = page.after_value, sort.startswith("-")
    if not page.after:
        del asked["after"]
    elif isinstance(value, Decimal) and sort.endswith("price"):
        asked["value"] = _cents(value, ROUND_CEILING if descending else ROUND_FLOOR)
        if Decimal(asked["value"]).scaleb(-2) != value:  # no item has this price, so all of the next one are behind it
            asked["after"] = 0 if descending else ID_MAX
    elif sort.endswith("title"):
        asked["value"] = value
    return asked


def _cents(price: Decimal, rounding: str) -> int:
    """Below and above all prices there is one number each."""
    if price < 0:
        return -1
    if price > PRICE_MAX:
        return int(PRICE_MAX.scaleb(2)) + 1
    return int(price.quantize(Decimal("0.01"), rounding).scaleb(2))
