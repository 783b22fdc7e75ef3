"""What every store promises for every aggregate."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from adapters.sql.engine.engines import parse_url
from adapters.sql.mapping.tables import ENTITIES
from adapters.sql.operations.database import SqlDatabaseOperations
from domain.errors import StaleVersion
from entrypoints.container import SqlContainer
from service_layer.aggregates import AnyAggregate
from tests.conftest import Databases
from tests.contract.samples import add_sample, stored_sample, values
from tests.contract.stored import Units
from tests.databases import SQL

AGGREGATES = list(ENTITIES.values())
REFERENCES = [(aggregate, column) for aggregate in AGGREGATES for column in aggregate.references]

each_aggregate = pytest.mark.parametrize("aggregate", AGGREGATES, ids=repr)
each_with_unique_values = pytest.mark.parametrize("aggregate", [each for each in AGGREGATES if each.unique], ids=repr)
each_reference = pytest.mark.parametrize(("aggregate", "column"), REFERENCES)


def change(entity: Any, changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        setattr(entity, name, value)


@each_aggregate
def test_what_is_added_is_there_with_all_values(unit_of_work: Units, aggregate: AnyAggregate) -> None:
    id = stored_sample(unit_of_work, aggregate, 1)
    with unit_of_work() as uow:
        entity = uow.repository(aggregate).get(id)
        assert uow.repository(aggregate).get(id) is entity
        expected = values(aggregate, 1) | {"id": id, "version": 1}
        assert {name: getattr(entity, name) for name in expected} == expected


@each_aggregate
def test_what_is_not_there_is_not_found(unit_of_work: Units, aggregate: AnyAggregate) -> None:
    with unit_of_work() as uow, pytest.raises(aggregate.not_found):
        uow.repository(aggregate).get(1_000_000)


@each_aggregate
def test_what_is_removed_is_gone_and_its_id_does_not_come_back(unit_of_work: Units, aggregate: AnyAggregate) -> None:
    kept, gone = stored_sample(unit_of_work, aggregate, 1), stored_sample(unit_of_work, aggregate, 2)
    with unit_of_work() as uow:
        uow.repository(aggregate).remove(uow.repository(aggregate).get(gone))
        with pytest.raises(aggregate.not_found):
            uow.repository(aggregate).get(gone)
        uow.commit()
    with unit_of_work() as uow:
        assert uow.repository(aggregate).get(kept).id == kept
        with pytest.raises(aggregate.not_found):
            uow.repository(aggregate).get(gone)
    assert stored_sample(unit_of_work, aggregate, 2) > gone


@each_aggregate
def test_changes_are_stored_and_counted(unit_of_work: Units, aggregate: AnyAggregate) -> None:
    id = stored_sample(unit_of_work, aggregate, 1)
    with unit_of_work() as uow:
        change(uow.repository(aggregate).get(id), values(aggregate, 2))
        uow.commit()
    with unit_of_work() as uow:
        entity = uow.repository(aggregate).get(id)
        change(entity, values(aggregate, 2))  # no change
        uow.commit()
        expected = values(aggregate, 2) | {"version": 2}
        assert {name: getattr(entity, name) for name in expected} == expected


@each_aggregate
@pytest.mark.parametrize("removed", [False, True])
def test_who_changes_what_others_have_changed_or_removed_is_told(
    unit_of_work: Units, aggregate: AnyAggregate, removed: bool
) -> None:
    id = stored_sample(unit_of_work, aggregate, 1)
    with unit_of_work() as slow:
        entity = slow.repository(aggregate).get(id)
        slow.commit()
        with unit_of_work() as quick:
            if removed:
                quick.repository(aggregate).remove(quick.repository(aggregate).get(id))
            else:
                change(quick.repository(aggregate).get(id), values(aggregate, 2))
            quick.commit()
        change(entity, values(aggregate, 3))
        with pytest.raises(StaleVersion):
            slow.commit()


@each_with_unique_values
def test_unique_values_are_taken(unit_of_work: Units, aggregate: AnyAggregate) -> None:
    stored_sample(unit_of_work, aggregate, 1)
    taken = tuple(aggregate.unique.values())
    with pytest.raises(taken), unit_of_work() as uow:
        add_sample(uow, aggregate, 1)
    other = stored_sample(unit_of_work, aggregate, 2)
    with pytest.raises(taken), unit_of_work() as uow:
        change(uow.repository(aggregate).get(other), values(aggregate, 1))
        uow.commit()


@each_with_unique_values
def test_a_unique_value_that_was_changed_is_free_again(unit_of_work: Units, aggregate: AnyAggregate) -> None:
    id = stored_sample(unit_of_work, aggregate, 1)
    with unit_of_work() as uow:
        change(uow.repository(aggregate).get(id), values(aggregate, 2))
        add_sample(uow, aggregate, 1)
        uow.commit()


@each_reference
def test_what_is_referred_to_must_be_there(unit_of_work: Units, aggregate: AnyAggregate, column: str) -> None:
    error = aggregate.references[column].not_found
    with pytest.raises(error), unit_of_work() as uow:
        add_sample(uow, aggregate, 1, **{column: 1_000_000})
    id = stored_sample(unit_of_work, aggregate, 1)
    with pytest.raises(error), unit_of_work() as uow:
        setattr(uow.repository(aggregate).get(id), column, 1_000_000)
        uow.commit()


@each_reference
def test_what_refers_to_something_is_found_and_is_removed_with_it(
    unit_of_work: Units, aggregate: AnyAggregate, column: str
) -> None:
    target = aggregate.references[column]
    one, other = stored_sample(unit_of_work, target, 1), stored_sample(unit_of_work, target, 2)
    first, second = (stored_sample(unit_of_work, aggregate, number, **{column: one}) for number in (1, 2))
    kept = stored_sample(unit_of_work, aggregate, 3, **{column: other})
    with unit_of_work() as uow:
        repository = uow.repository(aggregate)
        assert [each.id for each in repository.find(column, one, 100)] == [first, second]
        assert [each.id for each in repository.find(column, one, 1, for_update=True)] == [first]
        uow.repository(target).remove(uow.repository(target).get(one))
        uow.commit()
    with unit_of_work() as uow:
        assert uow.repository(aggregate).get(kept)
        for gone in (first, second):
            with pytest.raises(aggregate.not_found):
                uow.repository(aggregate).get(gone)


@pytest.mark.parametrize("container", SQL, indirect=True)
def test_every_aggregate_is_copied_backed_up_checked_and_restored(
    container: SqlContainer, databases: Databases, tmp_path: Path
) -> None:
    for aggregate, number in product(AGGREGATES, range(3)):
        stored_sample(container.unit_of_work, aggregate, number)
    counts = {table.name: container.unit_of_work().views.count(aggregate) for table, aggregate in ENTITIES.items()}
    target = parse_url(databases.empty("sqlite"))
    copy = SqlDatabaseOperations(target)
    assert SqlDatabaseOperations(container.url()).copy_to(copy, lambda *_: None) == counts
    assert list(SqlDatabaseOperations(container.url()).check()) == list(copy.check()) == []
    assert copy.back_up(tmp_path / "backup.db", lambda *_: None, overwrite=False).rows == counts
    restored, former = copy.restore(tmp_path / "backup.db", lambda *_: None)
    assert (restored.rows, former is not None) == (counts, True)
