"""Idempotent requests, on the in-memory store."""

from dataclasses import replace
from decimal import Decimal

import pytest

from adapters.memory.store import InMemoryStore, InMemoryUnitOfWork
from domain.errors import BelongingsError, EmailTaken, InvalidValue, UserNotFound
from domain.items import Item
from service_layer.errors import BatchRejected, IdempotencyKeyInUse, IdempotencyKeyReused
from service_layer.idempotency import RECORD_TTL, IdempotentRequest, run_once
from service_layer.items import create_item, create_items
from service_layer.ports import IdempotencyRecord
from service_layer.read_models import ITEMS, PageParams
from service_layer.users import create_user

REQUEST = IdempotentRequest(key="1", fingerprint="POST /items/", now=1_000)
OTHER_REQUEST = replace(REQUEST, fingerprint="POST /users/")


class WeakHasher:
    """Shows how long a password is, so that passwords of one length have one fingerprint."""

    def hash(self, password: str) -> str:
        return "x" * len(password)

    def fingerprint(self, password: str, salt: str) -> str:
        return f"{len(password)} with {salt}"


@pytest.fixture
def store() -> InMemoryStore:
    return InMemoryStore()


@pytest.fixture
def uow(store: InMemoryStore) -> InMemoryUnitOfWork:
    return InMemoryUnitOfWork(store)


def titles(uow: InMemoryUnitOfWork) -> list[str]:
    return [item["title"] for item in uow.views.list(ITEMS, PageParams()).rows]


def test_without_a_key_each_request_is_another(uow: InMemoryUnitOfWork) -> None:
    assert create_item(uow, title="Towel") != create_item(uow, title="Towel")
    assert titles(uow) == ["Towel", "Towel"]


def test_a_repeated_attempt_gets_the_first_answer_and_does_nothing(uow: InMemoryUnitOfWork) -> None:
    first = create_item(uow, title="Towel", price=Decimal("0.10"), idempotency=REQUEST)
    again = create_item(uow, title="Towel", price=Decimal("0.10"), idempotency=REQUEST)
    assert list(again.items()) == list(first.items())
    assert titles(uow) == ["Towel"]


def test_a_repeated_batch_gets_the_first_answer_and_does_nothing(uow: InMemoryUnitOfWork) -> None:
    first = create_items(uow, [{"title": "Towel"}, {"title": "Sieve"}], idempotency=REQUEST)
    assert create_items(uow, [{"title": "Towel"}, {"title": "Sieve"}], idempotency=REQUEST) == first
    assert titles(uow) == ["Towel", "Sieve"]


def test_a_repeated_sign_up_gets_the_first_answer_and_not_that_the_address_is_taken(uow: InMemoryUnitOfWork) -> None:
    first = create_user(uow, WeakHasher(), email="rick@example.com", password="wubbalubba", idempotency=REQUEST)
    again = create_user(uow, WeakHasher(), email="rick@example.com", password="wubbalubba", idempotency=REQUEST)
    assert again == first


def test_a_sign_up_with_another_password_is_another_request(uow: InMemoryUnitOfWork) -> None:
    create_user(uow, WeakHasher(), email="rick@example.com", password="wubbalubba", idempotency=REQUEST)
    with pytest.raises(IdempotencyKeyReused):
        create_user(uow, WeakHasher(), email="rick@example.com", password="wubba lubba", idempotency=REQUEST)


def test_a_record_holds_what_a_request_was_without_its_secret(uow: InMemoryUnitOfWork) -> None:
    create_user(uow, WeakHasher(), email="rick@example.com", password="wubbalubba", idempotency=REQUEST)
    with uow:
        record = uow.idempotency_records.get("1", now=1_000)
    answer = '{"email": "rick@example.com", "id": 1, "is_active": true, "items": []}'
    assert record == IdempotencyRecord("1", "POST /items/ 10 with 1", answer, 1_000 + RECORD_TTL)


def test_a_key_that_comes_with_another_request_is_refused_and_nothing_done(uow: InMemoryUnitOfWork) -> None:
    create_item(uow, title="Towel", idempotency=REQUEST)
    with pytest.raises(IdempotencyKeyReused):
        create_item(uow, title="Sieve", idempotency=OTHER_REQUEST)
    assert titles(uow) == ["Towel"]


def test_another_key_is_another_attempt(uow: InMemoryUnitOfWork) -> None:
    create_item(uow, title="Towel", idempotency=REQUEST)
    create_item(uow, title="Towel", idempotency=replace(REQUEST, key="2"))
    assert titles(uow) == ["Towel", "Towel"]


@pytest.mark.parametrize(("later", "kept"), [(86_399, ["Towel"]), (86_400, ["Towel", "Sieve"])])
def test_an_answer_is_kept_for_a_day(uow: InMemoryUnitOfWork, later: int, kept: list[str]) -> None:
    create_item(uow, title="Towel", idempotency=REQUEST)
    create_item(uow, title="Sieve", idempotency=replace(REQUEST, now=REQUEST.now + later))
    assert titles(uow) == kept


def test_a_refusal_is_not_kept(uow: InMemoryUnitOfWork) -> None:
    rick = "rick@example.com"
    with pytest.raises(UserNotFound):
        create_item(uow, title="Towel", owner_id=1, idempotency=REQUEST)
    with pytest.raises(BatchRejected):
        create_items(uow, [{"title": "Towel", "owner_id": 1}], idempotency=REQUEST)
    with pytest.raises(InvalidValue):
        create_item(uow, title="", idempotency=REQUEST)
    create_user(uow, WeakHasher(), email=rick, password="wubbalubba")
    with pytest.raises(EmailTaken):
        create_user(uow, WeakHasher(), email=rick, password="wubbalubba", idempotency=REQUEST)
    assert create_item(uow, title="Towel", owner_id=1, idempotency=REQUEST)["owner_id"] == 1


@pytest.mark.parametrize("refusal", [EmailTaken(), UserNotFound(), BatchRejected({}), None])
def test_who_is_overtaken_by_a_twin_gets_the_answer_of_the_twin(
    store: InMemoryStore, uow: InMemoryUnitOfWork, refusal: BelongingsError | None
) -> None:
    def overtaken() -> str:
        uow.commit()  # lets others write
        assert run_once(InMemoryUnitOfWork(store), REQUEST, lambda: "the twin's") == "the twin's"
        uow.items.add(Item(title="Towel"))
        if refusal:
            raise refusal
        return "its own"

    assert run_once(uow, REQUEST, overtaken) == "the twin's"
    assert titles(uow) == []


def test_who_is_overtaken_by_another_request_with_the_key_is_refused(
    store: InMemoryStore, uow: InMemoryUnitOfWork
) -> None:
    def overtaken() -> None:
        uow.commit()
        create_item(InMemoryUnitOfWork(store), title="Towel", idempotency=OTHER_REQUEST)
        uow.items.add(Item(title="Sieve"))

    with pytest.raises(IdempotencyKeyReused):
        run_once(uow, REQUEST, overtaken)
    assert titles(uow) == ["Towel"]


def test_while_a_twin_is_at_work_the_key_is_in_use(uow: InMemoryUnitOfWork) -> None:
    def busy() -> None:
        raise IdempotencyKeyInUse

    with pytest.raises(IdempotencyKeyInUse):
        run_once(uow, REQUEST, busy)


def test_what_fails_otherwise_fails_for_the_twin_too_and_nothing_is_kept(uow: InMemoryUnitOfWork) -> None:
    def failing() -> None:
        uow.items.add(Item(title="Towel"))
        raise ZeroDivisionError

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            run_once(uow, REQUEST, failing)
    assert titles(uow) == []


@pytest.mark.parametrize("answer", [None, 0, "", [], {"text": "\u2028 ü 😀", "list": [1, 2.5, None, True]}])
def test_any_answer_that_json_can_hold_is_given_again(uow: InMemoryUnitOfWork, answer: object) -> None:
    assert run_once(uow, REQUEST, lambda: answer) == answer
    assert run_once(uow, REQUEST, lambda: "another") == answer
