"""Items: what users own."""

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
    """The price with exactly two places.

    :raises InvalidValue: not finite, negative, more than twelve digits, or more than two places.
    """
    if not price.is_finite() or not 0 <= price <= PRICE_MAX:
        raise InvalidValue("price", f"must be between 0 and {PRICE_MAX}")
    exact = abs(price).quantize(_HUNDREDTH)  # abs: there is no price of minus zero
    if exact != price:
        raise InvalidValue("price", "must have at most two decimal places")
    return exact


@dataclass(eq=False, kw_only=True)
class Item:
    """A thing with a title; somebody may own it.

    :param title: 1 to 255 code points, not all of them white space.
    :param description: up to 10,000 code points.
    :param price: as ``exact_price`` allows; kept with two places.
    :param owner_id: the id of a user that exists, or nobody's.
    :param id: 1 … 2⁶³−1, given by the repository on ``add``; never reused.
    :param version: counts the changes that were committed, from 1.
    :param search_text: title and description as ``domain.text.fold_text`` has them, a line each.
    :raises InvalidValue: one of these is broken.
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
        """Make sure of every invariant, and bring what is derived up to date.

        Stores call this again before they write what was changed.

        :raises InvalidValue: one is broken.
        """
        if self.price is not None:
            self.price = exact_price(self.price)
        texts = self.title, self.description
        if texts != self._checked_texts:  # once for each text: a new item is checked again when a store adds it
            self._check_texts()
            self.search_text = fold_text(f"{self.title}\n{self.description or ''}")
            self._checked_texts = texts

    def _check_texts(self) -> None:
        check_text("title", self.title, most=TITLE_MAX_LENGTH)
        if not self.title.strip():
            raise InvalidValue("title", "must not be blank")
        if self.description is not None:
            check_text("description", self.description, most=DESCRIPTION_MAX_LENGTH)
