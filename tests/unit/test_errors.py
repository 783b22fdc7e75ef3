"""What errors say."""

import pytest

from domain.errors import (
    BatchRejected,
    BelongingsError,
    EmailTaken,
    IdempotencyKeyInUse,
    IdempotencyKeyReused,
    InvalidValue,
    ItemNotFound,
    NotFound,
    SchemaMismatch,
    SchemaNewer,
    StaleVersion,
    StorageFull,
    StorageUnavailable,
    UserNotFound,
)

SENTENCES = [
    (UserNotFound(), "User not found"),
    (ItemNotFound(), "Item not found"),
    (EmailTaken(), "Email already registered"),
    (InvalidValue("title", "must not be blank"), "title must not be blank"),
    (StaleVersion(), "It is not, or not any more, as the request says"),
    (BatchRejected({3: UserNotFound()}), "Some of them were refused; none was kept"),
    (IdempotencyKeyReused(), "This Idempotency-Key was used for another request"),
    (IdempotencyKeyInUse(), "A request with this Idempotency-Key is being answered at this moment"),
    (StorageUnavailable("connection refused by 10.0.0.7"), "The database is not available at the moment"),
    (StorageFull("No space left on device"), "The database has no room left"),
    (SchemaMismatch("run: belongings migrate"), "run: belongings migrate"),
]


@pytest.mark.parametrize(("error", "sentence"), SENTENCES)
def test_an_error_is_a_sentence_for_whoever_asked(error: BelongingsError, sentence: str) -> None:
    assert str(error) == sentence


def test_what_the_driver_said_is_for_the_operator_only() -> None:
    assert StorageUnavailable("connection refused").reason == "connection refused"


def test_a_refused_batch_says_why_for_each_place() -> None:
    errors: dict[int, BelongingsError] = {0: UserNotFound(), 7: InvalidValue("title", "must not be blank")}
    assert BatchRejected(errors).errors == errors


def test_what_is_missing_can_be_caught_by_one_name() -> None:
    assert issubclass(UserNotFound, NotFound)
    assert issubclass(ItemNotFound, NotFound)
    assert issubclass(SchemaNewer, SchemaMismatch)
