"""Numbers that every database can store."""

from domain.errors import InvalidValue


def check_number(field: str, value: int | None, *, minimum: int, maximum: int) -> None:
    """Reject a number that is out of range; None passes.

    :raises InvalidValue: with the bounds.
    """
    if value is not None and not minimum <= value <= maximum:
        raise InvalidValue(field, f"must be between {minimum} and {maximum}")
