"""Items, which users own."""

from dataclasses import dataclass, field
from decimal import Decimal

from domain.errors import InvalidValue
from domain.text import check_text, fold_text

TITLE_MAX_LENGTH = 255
DESCRIPTION_MAX_LENGTH = 10_000
PRICE_MAX = Decimal("9999999999.99")
"""Twelve digits: a JSON number carries them exactly (IEEE 754 doubles carry fifteen)."""

_HUNDREDTH = Decimal("0.01")


def exact_price(price: Decimal) -> Decimal:
    """The price with exactly two decimal places.

    :raises InvalidValue: the price is not finite, is negative, or has more than twelve digits or two decimal places.
    """
    if not price.is_finite() or not 0 <= price <= PRICE_MAX:
        raise InvalidValue("price", f"must be between 0 and {PRICE_MAX}")
    exact = abs(price).quantize(_HUNDREDTH)  # abs: -0 becomes 0
    if exact != price:
        raise InvalidValue("price", "must have at most two decimal places")
    return exact


def check_title(title: str) -> None:
    """Reject a title that is blank, too long or not valid text.

    :raises InvalidValue: with the reason.
    """
    check_text("title", title, max_length=TITLE_MAX_LENGTH)
    if not title.strip():
        raise InvalidValue("title", "must not be blank")


def check_description(description: str | None) -> None:
    """Reject a description that is too long or not valid text.

    :raises InvalidValue: with the reason.
    """
    check_text("description", description, max_length=DESCRIPTION_MAX_LENGTH)


@dataclass(eq=False, kw_only=True)
class Item:
    """An item. It may have an owner.

    :param title: 1 to 255 code points, not only white space.
    :param description: up to 10,000 code points.
    :param price: see ``exact_price``; stored with two decimal places.
    :param owner_id: the id of an existing user, or None.
    :param id: 1 … 2⁶³−1, assigned by the repository on ``add`` and never reused.
    :param version: starts at 1 and grows by one with each committed change.
    :param search_text: title and description on separate lines, folded by ``domain.text.fold_text``.
    :raises InvalidValue: an invariant is broken.
    """

    title: str
    description: str | None = None
    price: Decimal | None = None
    owner_id: int | None = None
    id: int | None = None
    version: int = 1
    search_text: str = field(init=False, repr=False)
    _checked_texts: tuple[str, str | None] | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        self.check()

    def check(self) -> None:
        """Check all invariants and update derived fields.

        Stores call this again before they write a change.

        :raises InvalidValue: an invariant is broken.
        """
        if self.price is not None:
            self.price = exact_price(self.price)
        texts = self.title, self.description
        if texts != self._checked_texts:  # checked once per text: stores check new items again
            check_title(self.title)
            check_description(self.description)
            self.search_text = fold_text(f"{self.title}\n{self.description or ''}")
            self._checked_texts = texts
