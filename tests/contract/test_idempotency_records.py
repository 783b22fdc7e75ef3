"""What idempotency records guarantee, on every adapter."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier, Event

import pytest

from domain.errors import BelongingsError, EmailTaken, UserNotFound
from domain.items import Item
from domain.users import User
from service_layer.errors import IdempotencyKeyInUse, IdempotencyKeyReused
from service_layer.idempotency import RECORD_TTL, IdempotentRequest, run_once
from service_layer.items import create_item
from service_layer.ports import IdempotencyRecord
from service_layer.read_models import ITEMS, USERS, PageParams, UserView
from service_layer.users import create_user
from tests.conftest import FastHasher
from tests.contract.stored import Units, stored_user

NOW = 1_800_000_000
RECORD = IdempotencyRecord(key="key", fingerprint="POST /items/", answer='{"id": 1}', expires_at=NOW + 60)
REQUEST = IdempotentRequest(key="key", fingerprint="POST /items/", now=NOW)
TWINS = 6


def stored(units: Units, *idempotency_records: IdempotencyRecord, now: int = NOW) -> None:
    """Store each in its own unit of work."""
    for record in idempotency_records:
        with units() as uow:
            uow.idempotency_records.add(record, now=now)
            uow.commit()


def found(units: Units, key: str = "key", now: int = NOW) -> IdempotencyRecord | None:
    with units() as uow:
        return uow.idempotency_records.get(key, now=now)


def titles(units: Units) -> list[str]:
    return [item["title"] for item in units().views.list(ITEMS, PageParams()).rows]


def outcomes(act: Callable[[], object]) -> list[object]:
    """Call this in several threads at the same time; return each result or the type of its error."""
    barrier = Barrier(TWINS)

    def outcome() -> object:
        barrier.wait()
        try:
            return act()
        except BelongingsError as error:
            return type(error)

    with ThreadPoolExecutor(TWINS) as threads:
        return [each.result() for each in [threads.submit(outcome) for _ in range(TWINS)]]


@pytest.mark.parametrize(
    "record",
    [
        RECORD,
        IdempotencyRecord("k", "", "", NOW + 1),
        IdempotencyRecord("😀" * 255, "😀" * 255, "😀\u2028 %s \\ ' \x01", 2**40),
        replace(RECORD, answer='["' + "ü" * 4_000_000 + '"]'),
    ],
    ids=["usual", "short", "strange", "long"],
)
def test_a_record_comes_back_as_it_was_given(unit_of_work: Units, record: IdempotencyRecord) -> None:
    stored(unit_of_work, record)
    assert found(unit_of_work, record.key) == record


def test_what_was_never_stored_is_none(unit_of_work: Units) -> None:
    stored(unit_of_work, RECORD)
    assert found(unit_of_work, "another") is None


def test_a_unit_of_work_sees_the_record_that_it_has_added(unit_of_work: Units) -> None:
    with unit_of_work() as uow:
        uow.idempotency_records.add(RECORD, now=NOW)
        assert uow.idempotency_records.get("key", now=NOW) == RECORD


def test_keys_are_compared_exactly(unit_of_work: Units) -> None:
    keys = [
        "k\u00e9y",
        "ke\u0301y",
        "key",
        "KEY",
        "Key",
        "key ",
        " key",
        "ke",
        "key\t",
        "k_y",
        "k%",
        "ｋｅｙ",
        "ß",
        "ss",
    ]
    stored(unit_of_work, *(IdempotencyRecord(key, f"of {n}", f"{n}", NOW + 60) for n, key in enumerate(keys)))
    assert [found(unit_of_work, key) for key in keys] == [
        IdempotencyRecord(key, f"of {n}", f"{n}", NOW + 60) for n, key in enumerate(keys)
    ]
    assert [found(unit_of_work, key) for key in ("kEy", "k", "key  ", "k\u00c9y")] == [None] * 4


def test_a_record_is_seen_until_it_expires(unit_of_work: Units) -> None:
    stored(unit_of_work, RECORD)
    assert found(unit_of_work, now=RECORD.expires_at - 1) == RECORD
    assert found(unit_of_work, now=RECORD.expires_at) is None
    assert found(unit_of_work, now=RECORD.expires_at + RECORD_TTL) is None


def test_one_that_has_expired_can_be_replaced(unit_of_work: Units) -> None:
    stored(unit_of_work, RECORD)
    later = IdempotencyRecord("key", "another request", "2", RECORD.expires_at + 60)
    stored(unit_of_work, later, now=RECORD.expires_at)
    assert found(unit_of_work, now=RECORD.expires_at) == later


def test_one_that_has_not_expired_stays_and_whoever_adds_another_writes_nothing(unit_of_work: Units) -> None:
    stored(unit_of_work, RECORD)
    with pytest.raises(IdempotencyKeyInUse), unit_of_work() as uow:
        uow.items.add(Item(title="Towel"))
        uow.idempotency_records.add(IdempotencyRecord("other", "", "", NOW + 60), now=NOW)
        uow.idempotency_records.add(replace(RECORD, answer="2", expires_at=NOW + 90), now=RECORD.expires_at - 1)
    assert (found(unit_of_work), found(unit_of_work, "other")) == (RECORD, None)
    assert titles(unit_of_work) == []


def test_a_record_is_kept_together_with_what_it_tells_of(unit_of_work: Units) -> None:
    with unit_of_work() as uow:
        uow.items.add(Item(title="Towel"))
        uow.idempotency_records.add(RECORD, now=NOW)
        uow.commit()
    assert (titles(unit_of_work), found(unit_of_work)) == (["Towel"], RECORD)


def test_a_record_is_discarded_together_with_what_it_tells_of(unit_of_work: Units) -> None:
    with unit_of_work() as uow:
        uow.idempotency_records.add(RECORD, now=NOW)
    with pytest.raises(ZeroDivisionError), unit_of_work() as uow:
        uow.items.add(Item(title="Towel"))
        uow.idempotency_records.add(RECORD, now=NOW)
        raise ZeroDivisionError
    with pytest.raises(UserNotFound), unit_of_work() as uow:
        uow.idempotency_records.add(RECORD, now=NOW)
        uow.items.add(Item(title="Towel", owner_id=1_000_000))
    assert (titles(unit_of_work), found(unit_of_work)) == ([], None)


def test_expired_records_are_forgotten_more_than_one_by_each_that_is_added(unit_of_work: Units) -> None:
    """Whoever looks with an earlier clock sees which are still there."""
    old = [replace(RECORD, key=f"old {n}") for n in range(30)]
    alive = [replace(RECORD, key=f"alive {n}", expires_at=NOW + 3600) for n in range(3)]
    stored(unit_of_work, *old, *alive)
    left = [len(old)]
    while left[-1]:
        stored(unit_of_work, IdempotencyRecord(f"new {len(left)}", "", "", NOW + 3600), now=NOW + 60)
        left.append(sum(found(unit_of_work, record.key) is not None for record in old))
        assert left[-1] <= max(0, left[-2] - 2)
    assert [found(unit_of_work, record.key, NOW + 60) for record in alive] == alive


def test_what_an_unfinished_unit_of_work_has_forgotten_is_still_there_if_it_does_not_commit(
    unit_of_work: Units,
) -> None:
    stored(unit_of_work, RECORD)
    with unit_of_work() as uow:
        uow.idempotency_records.add(replace(RECORD, answer="2", expires_at=NOW + 120), now=NOW + 60)
    assert found(unit_of_work) == RECORD


def test_of_those_who_add_one_key_at_once_one_succeeds(unit_of_work: Units) -> None:
    def add() -> str:
        with unit_of_work() as uow:
            uow.items.add(Item(title="Towel"))
            uow.idempotency_records.add(RECORD, now=NOW)
            uow.commit()
        return "added"

    assert sorted(map(str, outcomes(add))) == sorted(["added"] + [str(IdempotencyKeyInUse)] * (TWINS - 1))
    assert titles(unit_of_work) == ["Towel"]


def test_of_those_who_replace_an_expired_record_at_once_one_succeeds(unit_of_work: Units) -> None:
    stored(unit_of_work, RECORD)
    later = replace(RECORD, answer="2", expires_at=NOW + 120)

    def add() -> str:
        stored(unit_of_work, later, now=NOW + 60)
        return "added"

    assert sorted(map(str, outcomes(add))) == sorted(["added"] + [str(IdempotencyKeyInUse)] * (TWINS - 1))
    assert found(unit_of_work, now=NOW + 60) == later


def test_those_who_forget_the_same_records_at_once_do_not_get_in_each_others_way(unit_of_work: Units) -> None:
    stored(unit_of_work, *(replace(RECORD, key=f"old {n}") for n in range(2 * TWINS)))
    numbers = iter(range(TWINS))

    def add() -> str:
        stored(unit_of_work, replace(RECORD, key=f"new {next(numbers)}", expires_at=NOW + 120), now=NOW + 60)
        return "added"

    assert outcomes(add) == ["added"] * TWINS


@pytest.mark.parametrize("commits", [True, False])
def test_who_adds_a_key_that_somebody_is_adding_hears_what_became_of_it(unit_of_work: Units, commits: bool) -> None:
    started = Event()

    def add() -> object:
        started.set()
        try:
            stored(unit_of_work, replace(RECORD, answer="second"))
        except IdempotencyKeyInUse:
            return IdempotencyKeyInUse
        return "added"

    with ThreadPoolExecutor(1) as threads:
        with unit_of_work() as first:
            first.idempotency_records.add(replace(RECORD, answer="first"), now=NOW)
            second = threads.submit(add)
            started.wait(timeout=60)
            if commits:
                first.commit()
        assert second.result() == (IdempotencyKeyInUse if commits else "added")
    assert found(unit_of_work) == replace(RECORD, answer="first" if commits else "second")


def test_of_twins_one_acts_and_the_others_get_its_answer_or_that_it_is_at_work(unit_of_work: Units) -> None:
    def act() -> object:
        return create_item(unit_of_work(), title="Towel", idempotency=REQUEST)

    first = outcomes(act)
    (kept,) = unit_of_work().views.list(ITEMS, PageParams()).rows
    assert kept in first
    assert all(outcome in (kept, IdempotencyKeyInUse) for outcome in first)
    assert outcomes(act) == [kept] * TWINS


def test_of_twins_who_sign_up_none_hears_that_the_address_is_taken(unit_of_work: Units) -> None:
    def act() -> UserView:
        return create_user(
            unit_of_work(), FastHasher(), email="a@example.com", password="long enough", idempotency=REQUEST
        )

    first = outcomes(act)
    (kept,) = unit_of_work().views.list(USERS, PageParams()).rows
    assert kept in first
    assert all(outcome in (kept, IdempotencyKeyInUse) for outcome in first)
    assert outcomes(act) == [kept] * TWINS


@pytest.mark.parametrize("how", ["refused", "key in use"])
def test_who_is_overtaken_by_a_twin_gets_the_answer_of_the_twin_and_does_nothing(unit_of_work: Units, how: str) -> None:
    uow = unit_of_work()

    def twin() -> str:
        other.users.add(User(email="a@example.com", hashed_password="x"))
        return "the twin's"

    def overtaken() -> str:
        uow.commit()  # lets others write
        assert run_once(other, REQUEST, twin) == "the twin's"
        uow.items.add(Item(title="Towel"))
        if how == "refused":
            uow.users.add(User(email="a@example.com", hashed_password="x"))
        return "its own"

    other = unit_of_work()
    assert run_once(uow, REQUEST, overtaken) == "the twin's"
    assert titles(unit_of_work) == []


def test_a_key_that_comes_with_another_request_is_refused_and_nothing_done(unit_of_work: Units) -> None:
    create_item(unit_of_work(), title="Towel", idempotency=REQUEST)
    with pytest.raises(IdempotencyKeyReused):
        create_item(unit_of_work(), title="Sieve", idempotency=replace(REQUEST, fingerprint="POST /items/ "))
    assert titles(unit_of_work) == ["Towel"]


def test_a_refusal_is_not_kept(unit_of_work: Units) -> None:
    other = stored_user(unit_of_work)

    def sign_up() -> UserView:
        return create_user(
            unit_of_work(), FastHasher(), email="a@example.com", password="long enough", idempotency=REQUEST
        )

    with pytest.raises(EmailTaken):
        sign_up()
    with unit_of_work() as uow:
        uow.users.remove(uow.users.get(other))
        uow.commit()
    assert sign_up()["email"] == "a@example.com"


def test_a_day_later_the_same_key_is_another_attempt(unit_of_work: Units) -> None:
    for later in (0, RECORD_TTL - 1, RECORD_TTL, RECORD_TTL + 1):
        create_item(unit_of_work(), title="Towel", idempotency=replace(REQUEST, now=NOW + later))
    assert titles(unit_of_work) == ["Towel", "Towel"]
