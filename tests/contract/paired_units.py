"""Units of work, held to their model with everything they do."""

from collections.abc import Callable
from typing import Any

from domain.errors import BelongingsError
from service_layer.ports import IdempotencyRecord, UnitOfWork
from tests.contract.model import Errors, ModelStore, ModelUnit, Row


def expect(actual: object, expected: object) -> None:
    """An ``assert`` that shows both, which pytest does in test modules only."""
    if actual != expected:
        raise AssertionError(f"{actual}\nwas found, where this was expected:\n{expected}")


class PairedUnit:
    """A unit of work beside its model, with the entities that it handed out and those that it removed.

    Whatever the model expects is asserted here. An error that the unit of work raises leaves its block.
    """

    def __init__(self, uow: UnitOfWork, store: ModelStore) -> None:
        self.uow = uow
        self.model = ModelUnit(store)
        self.held: dict[tuple[str, int], Any] = {}
        self.removed: dict[tuple[str, int], Any] = {}
        self._entered = False

    def enter(self) -> None:
        if not self._entered:
            expect(self.uow.__enter__(), self.uow)
            self._entered = True

    def leave(self, error: Exception | None = None) -> None:
        if self._entered:
            self.uow.__exit__(type(error) if error else None, error, error.__traceback__ if error else None)
        self._entered = False
        self.model.end()
        self.held.clear()
        self.removed.clear()

    def add(self, table: str, entity: Any, row: Row) -> bool:
        """Whether it was added."""
        done = self._attempt(lambda: self._repository(table).add(entity), self.model.add(table, row))
        if done:
            self.model.added(table, entity.id, row)
            self.held[table, entity.id] = entity
        return done

    def get(self, table: str, id: int) -> bool:
        """Whether it is there; it is held from now on."""
        found: list[Any] = []
        errors = self.model.get(table, id)
        if not self._attempt(lambda: found.append(self._repository(table).get(id)), errors):
            return False
        entity, row = found[0], self.model.held[table][id]
        if entity is not self.held.setdefault((table, id), entity):
            raise AssertionError("another object than before")
        expect({"id": entity.id, **{name: getattr(entity, name) for name in row}}, {"id": id, **row})
        return True

    def change(self, table: str, id: int, values: Row) -> None:
        entity = self.held[table, id]
        for name, value in values.items():
            setattr(entity, name, value)
        self.model.change(table, id, values)

    def remove(self, table: str, id: int) -> None:
        entity = self.held.get((table, id)) or self.removed[table, id]
        if self._attempt(lambda: self._repository(table).remove(entity), self.model.remove(table, id)):
            for key in [(table, id) for table, id in self.held if id not in self.model.held[table]]:
                self.removed[key] = self.held.pop(key)

    def get_receipt(self, key: str, now: int) -> None:
        expect(self.uow.idempotency_records.get(key, now=now), self.model.record(key, now))

    def add_receipt(self, record: IdempotencyRecord, now: int) -> bool:
        """Whether it was added."""
        errors = self.model.add_receipt(record, now)
        return self._attempt(lambda: self.uow.idempotency_records.add(record, now=now), errors)

    def commit(self) -> None:
        self._attempt(self.uow.commit, self.model.commit())

    def _repository(self, table: str) -> Any:
        return self.uow.users if table == "users" else self.uow.items

    def _attempt(self, act: Callable[[], object], errors: Errors) -> bool:
        expected = ", ".join(sorted(error.__name__ for error in errors)) or "no error"
        try:
            act()
        except BelongingsError as error:
            self.leave(error)
            if type(error) not in errors:
                raise AssertionError(f"{expected} was expected") from error
            return False
        if errors:
            raise AssertionError(f"{expected} was expected")
        return True
