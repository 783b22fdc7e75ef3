"""Statement parameters for pages, filters and sorts of users and items.

The names of the parameters select the statement. Their order is always the same.
"""

from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from domain.items import PRICE_MAX
from domain.text import fold_text
from domain.users import canonical_email
from service_layer.read_models import ID_MAX, ItemFilter, Owner, PageParams, Sort, UserFilter

Parameters = dict[str, Any]

ESCAPE = "/"
"""The escape character of LIKE patterns."""

_ESCAPED = str.maketrans({character: ESCAPE + character for character in f"{ESCAPE}%_"})


def user_parameters(filter: UserFilter) -> Parameters:
    """Return ``email_key`` and ``active``, if the filter has them."""
    parameters: Parameters = {}
    if filter.email is not None:
        parameters["email_key"] = canonical_email(filter.email)
    if filter.is_active is not None:
        parameters["active"] = filter.is_active
    return parameters


def item_parameters(filter: ItemFilter, dialect: str) -> Parameters:
    """Return ``owner`` or ``no_owner``, ``title``, ``min_cents`` and ``max_cents``, and each word or its pattern."""
    parameters: Parameters = {}
    if filter.owner is Owner.NONE:
        parameters["no_owner"] = True
    elif filter.owner is not Owner.ANY:
        parameters["owner"] = filter.owner
    if filter.title is not None:
        parameters["title"] = filter.title
    if filter.min_price is not None:
        parameters["min_cents"] = _cents(filter.min_price, ROUND_CEILING)
    if filter.max_price is not None:
        parameters["max_cents"] = _cents(filter.max_price, ROUND_FLOOR)
    for n, word in enumerate(filter.words):
        parameters[f"word{n}"] = fold_text(word) if dialect == "sqlite" else f"%{fold_text(word).translate(_ESCAPED)}%"
    return parameters


def page_parameters(page: PageParams) -> Parameters:
    """Return ``after``, ``skip`` and ``rows``: one more than the limit, which shows whether there are more."""
    return {"after": page.after, "skip": page.skip, "rows": page.limit + 1}


def simplify_sort(filter: ItemFilter, page: PageParams) -> tuple[Sort, PageParams]:
    """Replace a sort by title among items of one title by a sort by id, with the page parameters to match."""
    title, start = filter.title, page.after_value
    if title is None or not filter.sort.endswith("title"):
        return filter.sort, page
    descending = filter.sort.startswith("-")
    if page.after and isinstance(start, str) and start != title:
        all_after = (start < title) != descending
        page = replace(page, after=0 if all_after else 1 if descending else ID_MAX)
    return "-id" if descending else "id", page


def sorted_page_parameters(page: PageParams, sort: Sort) -> Parameters:
    """Return the parameters of a page of a sorted list.

    ``reach`` is the number of rows up to the end of the page. ``after`` is missing for a page from the first row on.
    ``value`` is the title or the cents of the row before the page; it is missing if that row has no price.
    """
    parameters = page_parameters(page) | {"reach": min(page.skip + page.limit + 1, ID_MAX)}
    value, descending = page.after_value, sort.startswith("-")
    if not page.after:
        del parameters["after"]
    elif isinstance(value, Decimal) and sort.endswith("price"):
        parameters["value"] = _cents(value, ROUND_CEILING if descending else ROUND_FLOOR)
        if Decimal(parameters["value"]).scaleb(-2) != value:  # no item has this price; start before the next one
            parameters["after"] = 0 if descending else ID_MAX
    elif sort.endswith("title"):
        parameters["value"] = value
    return parameters


def _cents(price: Decimal, rounding: str) -> int:
    """Convert to cents; all prices out of range become one number below or above the range."""
    if price < 0:
        return -1
    if price > PRICE_MAX:
        return int(PRICE_MAX.scaleb(2)) + 1
    return int(price.quantize(Decimal("0.01"), rounding).scaleb(2))
