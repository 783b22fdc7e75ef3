"""Which passwords may be chosen."""

from domain.errors import InvalidValue
from domain.text import check_text

PASSWORD_MIN_LENGTH = 1
PASSWORD_MAX_LENGTH = 128


def check_password(password: str, *, least: int = PASSWORD_MIN_LENGTH) -> None:
    """Refuse a password that is shorter than the operator asks for, or too long to be hashed.

    :param least: the minimum length, in code points. Nobody signs in with a password yet, so one character is enough;
        where passwords protect something, NIST SP 800-63B asks for 8.
    :raises InvalidValue: shorter than that, longer than 128, or not text.
    """
    if len(password) < least:
        raise InvalidValue("password", f"must have at least {least} character{'s' if least > 1 else ''}")
    check_text("password", password, most=PASSWORD_MAX_LENGTH)
