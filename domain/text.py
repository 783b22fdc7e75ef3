"""Which text can be kept by every database alike, and when two texts are equal."""

from unicodedata import combining, normalize

from domain.errors import InvalidValue

_NON_STARTERS_MAX = 30


def check_text(field: str, value: str, *, most: int) -> None:
    """Refuse text that some database could not keep unchanged, or that would be slow to normalize.

    :param most: the greatest length, in code points.
    :raises InvalidValue: longer than that; holds NUL (which PostgreSQL cannot keep) or a lone surrogate
        (which UTF-8 cannot encode, RFC 3629 §3); or is not stream-safe.
    """
    if len(value) > most:
        raise InvalidValue(field, f"must have at most {most} characters")
    if "\x00" in value:
        raise InvalidValue(field, "must not contain NUL characters")
    if value.isascii():
        return
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidValue(field, "must be valid Unicode text") from None
    if not is_stream_safe(value):
        raise InvalidValue(field, f"must not have more than {_NON_STARTERS_MAX} combining marks in a row")


def is_stream_safe(text: str) -> bool:
    """Whether text is in the Stream-Safe Text Format (UAX #15 §13).

    In its normalization form KD there are no more than 30 non-starters in a row: characters with a canonical
    combining class other than zero. Normalization sorts each such run by these classes, which takes
    ``unicodedata.normalize`` time in the square of its length.

    The order inside a run does not change its length, so each character is decomposed by itself, in linear time.
    """
    run = 0
    for character in text:
        decomposed = normalize("NFKD", character)
        if not combining(decomposed[-1]):
            run = 0
            continue
        for part in decomposed:
            run = run + 1 if combining(part) else 0
        if run > _NON_STARTERS_MAX:
            return False
    return True


def fold_text(text: str) -> str:
    """The form in which texts are equal that differ in case or in how accents are encoded.

    Compared without regard to case (Unicode full case folding) and to how accents are
    encoded (normalization form C), and in nothing else: ``ß`` equals ``ss``, but a
    fullwidth letter, a dotless ``ı`` or an accent makes another text. Databases
    disagree on all of this, so it is done here and they compare code points.

    :param text: has passed ``check_text``, or is made of such texts: others may take seconds.
    """
    return normalize("NFC", normalize("NFD", text).casefold())
