"""Which passwords may be chosen."""

from domain.errors import InvalidValue
from domain.text import check_text

PASSWORD_MIN_LENGTH = 8
PASSWORD_MAX_LENGTH = 128


def check_password(password: str, *, least: int = PASSWORD_MIN_LENGTH) -> None:
    """Refuse a password that is too short to be safe or too long to be hashed.

    :param least: the least length, in code points (NIST SP 800-63B asks for 8).
    :raises InvalidValue: shorter than that, longer than 128, or not text.
    """
    if len(password) < least:
        raise InvalidValue("password", f"must have at least {least} characters")
    check_text("password", password, most=PASSWORD_MAX_LENGTH)
