"""Which text can be kept by every database alike, and when two texts are equal."""

from unicodedata import normalize

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


def folded(text: str) -> str:
    """The form in which texts are equal that differ in case or in how accents are encoded.

    Compared without regard to case (Unicode full case folding) and to how accents are
    encoded (normalization form C), and in nothing else: ``ß`` equals ``ss``, but a
    fullwidth letter, a dotless ``ı`` or an accent makes another text. Databases
    disagree on all of this, so it is done here and they compare code points.
    """
    return normalize("NFC", normalize("NFD", text).casefold())
