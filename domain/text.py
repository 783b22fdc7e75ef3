"""Text that every database can store, and comparison without regard to case."""

from unicodedata import combining, normalize

from domain.errors import InvalidValue

_NON_STARTERS_MAX = 30


def check_text(field: str, value: str | None, *, max_length: int, min_length: int = 0) -> None:
    """Reject text that a database cannot store unchanged, or that is slow to normalize.

    :param value: None is not text, and passes.
    :param max_length: in code points, as ``min_length``.
    :raises InvalidValue: the text is too short or too long, contains NUL (which PostgreSQL cannot store) or a lone
        surrogate (which UTF-8 cannot encode, RFC 3629 §3), or is not stream-safe.
    """
    if value is None:
        return
    if len(value) > max_length:
        raise InvalidValue(field, f"must have at most {max_length} characters")
    if len(value) < min_length:
        raise InvalidValue(field, f"must have at least {min_length} character{'s' if min_length > 1 else ''}")
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
    """Fold text for comparison: equal for texts that differ only in case or in how accents are encoded.

    Applies Unicode full case folding and normalization form C, and nothing else: ``ß`` equals ``ss``, but a
    fullwidth letter, a dotless ``ı`` or an accent makes a different text. Databases disagree on these rules,
    so texts are folded here, and databases compare code points.

    :param text: has passed ``check_text``, or is composed of such texts. Other texts may take seconds.
    """
    return normalize("NFC", normalize("NFD", text).casefold())
