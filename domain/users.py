"""Users, and the one rule by which their addresses are unique."""

from dataclasses import dataclass, field

from domain.errors import InvalidValue
from domain.text import check_text, fold_text

EMAIL_MAX_LENGTH = 254
"""In code points; the limit of RFC 5321 §4.5.3.1.3 on a path, less its brackets."""


def canonical_email(email: str) -> str:
    """The form in which two spellings of one address are equal, by ``domain.text.fold_text``."""
    return fold_text(email)


@dataclass(eq=False, kw_only=True)
class User:
    """Somebody who signed up.

    :param email: the address as it was given; 3 to 254 code points.
    :param hashed_password: as a password hasher returned it; never shown.
    :param id: 1 … 2⁶³−1, given by the repository on ``add``; never reused.
    :param version: counts the changes that were committed, from 1.
    :raises InvalidValue: the address has no ``local@domain`` form or is too long.
    """

    email: str
    hashed_password: str = field(repr=False)
    is_active: bool = True
    id: int | None = None
    version: int = 1
    email_key: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.check()

    def check(self) -> None:
        """Make sure of every invariant, and bring what is derived up to date.

        Stores call this again before they write what was changed.

        :raises InvalidValue: one is broken.
        """
        check_text("email", self.email, most=EMAIL_MAX_LENGTH)
        local, at, domain = self.email.rpartition("@")
        if not (local and at and domain) or any(map(str.isspace, self.email)):
            raise InvalidValue("email", "must have the form local@domain")
        self.email_key = canonical_email(self.email)
        check_text("email", self.email_key, most=EMAIL_MAX_LENGTH)
