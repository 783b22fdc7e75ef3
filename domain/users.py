"""Users, and the rule that makes email addresses unique."""

from dataclasses import dataclass, field

from domain.errors import InvalidValue
from domain.text import check_text, fold_text

EMAIL_MAX_LENGTH = 254
"""In code points; the limit of RFC 5321 §4.5.3.1.3 on a path, minus its brackets."""


def canonical_email(email: str) -> str:
    """The address folded by ``domain.text.fold_text``: two addresses are the same user's if these are equal."""
    return fold_text(email)


def check_email(email: str) -> str:
    """Return the canonical address.

    :raises InvalidValue: the address does not have the form ``local@domain``, or is too long.
    """
    check_text("email", email, max_length=EMAIL_MAX_LENGTH)
    local, at, domain = email.rpartition("@")
    if not (local and at and domain) or any(map(str.isspace, email)):
        raise InvalidValue("email", "must have the form local@domain")
    key = canonical_email(email)
    check_text("email", key, max_length=EMAIL_MAX_LENGTH)
    return key


@dataclass(eq=False, kw_only=True)
class User:
    """A user.

    :param email: the address as the user wrote it; 3 to 254 code points.
    :param hashed_password: the result of a password hasher; never part of a response.
    :param id: 1 … 2⁶³−1, assigned by the repository on ``add`` and never reused.
    :param version: starts at 1 and grows by one with each committed change.
    :raises InvalidValue: the address does not have the form ``local@domain``, or is too long.
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
        """Check all invariants and update derived fields.

        Stores call this again before they write a change.

        :raises InvalidValue: an invariant is broken.
        """
        self.email_key = check_email(self.email)
