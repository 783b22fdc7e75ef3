"""The messages and the hierarchy of errors."""

import pytest

from domain.errors import BelongingsError, EmailTaken, InvalidValue, ItemNotFound, NotFound, StaleVersion, UserNotFound
from service_layer.errors import (
    BatchRejected,
    IdempotencyKeyInUse,
    IdempotencyKeyReused,
    SchemaMismatch,
    SchemaNewer,
    StorageFull,
    StorageUnavailable,
)

SENTENCES = [
    (UserNotFound(), "User not found"),
    (ItemNotFound(), "Item not found"),
    (EmailTaken(), "Email already registered"),
    (InvalidValue("title", "must not be blank"), "title must not be blank"),
    (StaleVersion(), "The resource has changed since you read it"),
    (BatchRejected({3: UserNotFound()}), "Some items were rejected; none was created"),
    (IdempotencyKeyReused(), "This Idempotency-Key was already used for a different request"),
    (IdempotencyKeyInUse(), "A request with this Idempotency-Key is still being processed"),
    (StorageUnavailable("connection refused by 10.0.0.7"), "The database is temporarily unavailable"),
    (StorageFull("No space left on device"), "The database is out of disk space"),
    (SchemaMismatch("run: belongings migrate"), "run: belongings migrate"),
]


@pytest.mark.parametrize(("error", "sentence"), SENTENCES)
def test_an_error_is_a_sentence_for_the_client(error: BelongingsError, sentence: str) -> None:
    assert str(error) == sentence


def test_the_driver_message_is_for_the_operator_only() -> None:
    assert StorageUnavailable("connection refused").reason == "connection refused"


def test_a_rejected_batch_has_the_error_of_each_element() -> None:
    errors: dict[int, BelongingsError] = {0: UserNotFound(), 7: InvalidValue("title", "must not be blank")}
    assert BatchRejected(errors).errors == errors


def test_related_errors_share_a_base_class() -> None:
    assert issubclass(UserNotFound, NotFound)
    assert issubclass(ItemNotFound, NotFound)
    assert issubclass(SchemaNewer, SchemaMismatch)
