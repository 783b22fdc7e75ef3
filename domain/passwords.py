"""The rules for new passwords."""

from domain.text import check_text

PASSWORD_MIN_LENGTH = 1
PASSWORD_MAX_LENGTH = 128


def check_password(password: str, *, min_length: int = PASSWORD_MIN_LENGTH) -> None:
    """Reject a password that is too short or too long.

    :param min_length: in code points. Passwords are not used to sign in yet, so the default is 1. Where they
        protect something, NIST SP 800-63B requires 8.
    :raises InvalidValue: the password is too short, has more than 128 characters, or is not valid text.
    """
    check_text("password", password, min_length=min_length, max_length=PASSWORD_MAX_LENGTH)
