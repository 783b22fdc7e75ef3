"""Which text can be kept by every database alike."""

from domain.errors import InvalidValue


def check_text(field: str, value: str, *, most: int) -> None:
    """Refuse text that some database could not keep unchanged.

    :param most: the greatest length, in code points.
    :raises InvalidValue: longer than that; holds NUL (which PostgreSQL cannot keep);
        or a lone surrogate (which UTF-8 cannot encode, RFC 3629 §3).
    """
    if len(value) > most:
        raise InvalidValue(field, f"must have at most {most} characters")
    if "\x00" in value:
        raise InvalidValue(field, "must not contain NUL characters")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise InvalidValue(field, "must be valid Unicode text")
