"""Aggregates: each is declared once, and the stores, lists and errors follow from the declaration."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from types import NoneType
from typing import Any, Generic, Protocol, TypeVar, cast, get_args, get_type_hints

from domain.errors import AlreadyTaken, NotFound
from domain.text import fold_text


class Stored(Protocol):
    """What every entity has.

    :param id: 1 … 2⁶³−1, assigned by the repository on ``add`` and never reused.
    :param version: starts at 1 and grows by one with each committed change.
    """

    id: int | None
    version: int

    def check(self) -> None:
        """Check all invariants and update derived fields.

        Stores call this again before they write a change.

        :raises InvalidValue: an invariant is broken.
        """


Entity = TypeVar("Entity", bound=Stored)
View = TypeVar("View", bound=Mapping[str, Any])


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True)
class Equal:
    """Rows whose column equals a value, or that have no value there, for None.

    :param key: applied to a value before it is compared.
    """

    column: str
    key: Callable[[Any], Any] = _same

    def predicate(self, value: Any) -> Callable[[Any], bool]:
        expected = None if value is None else self.key(value)
        return lambda stored: bool(stored == expected)


@dataclass(frozen=True, slots=True)
class AtLeast:
    """Rows whose column has a value of at least this."""

    column: str

    def predicate(self, value: Any) -> Callable[[Any], bool]:
        return lambda stored: stored is not None and stored >= value


@dataclass(frozen=True, slots=True)
class AtMost:
    """Rows whose column has a value of at most this."""

    column: str

    def predicate(self, value: Any) -> Callable[[Any], bool]:
        return lambda stored: stored is not None and stored <= value


@dataclass(frozen=True, slots=True)
class Words:
    """Rows whose column, which is folded by ``domain.text.fold_text``, contains each word, also inside longer words."""

    column: str

    @staticmethod
    def words(value: str) -> list[str]:
        return [fold_text(word) for word in value.split()]

    def predicate(self, value: Any) -> Callable[[Any], bool]:
        words = self.words(value)
        return lambda stored: all(word in stored for word in words)


Filter = Mapping[str, Any]
"""The conditions that rows must meet: values by the name of the filter. None means that a row has no value there."""

NO_FILTER: Filter = {}

Condition = Equal | AtLeast | AtMost | Words


@dataclass(frozen=True, kw_only=True, eq=False)
class Aggregate(Generic[Entity, View]):
    """The declaration of an aggregate.

    :param name: of its table and of its resource.
    :param entity: a dataclass with ``id``, ``version`` and ``check``. Its fields are the columns of the table.
    :param view: the fields that clients see, in their order. ``view_of`` takes those that the entity does not have.
    :param not_found: the error for an id that does not exist.
    :param unique: by column: the error for a value that another row has.
    :param references: by column: the aggregate whose id it holds. Rows are deleted with the row they refer to.
    :param filters: by name of the query parameter, costly ones last. ``Equal`` needs an index of the column and the id.
    :param sorts: the columns that lists can be sorted by, besides the id. Each needs an index of the column and the id.
    :param long_texts: the maximum lengths of columns with texts so long that pages are limited by their characters.
    """

    name: str
    entity: type[Entity]
    view: type[View]
    not_found: type[NotFound]
    unique: Mapping[str, type[AlreadyTaken]] = field(default_factory=dict)
    references: Mapping[str, "AnyAggregate"] = field(default_factory=dict)
    filters: Mapping[str, Condition] = field(default_factory=dict)
    sorts: tuple[str, ...] = ()
    long_texts: Mapping[str, int] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<aggregate {self.name}>"

    @property
    def singular(self) -> str:
        """The name of one, such as ``item``."""
        return re.sub("(?<!^)(?=[A-Z])", "_", self.entity.__name__).lower()

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns that are part of the view, in its order."""
        return tuple(name for name in get_type_hints(self.view) if name in self._types)

    def kind(self, column: str) -> type:
        """The type of a column's values."""
        return self._types[column][0]

    def is_nullable(self, column: str) -> bool:
        """Whether a column may have no value."""
        return self._types[column][1]

    def view_of(self, entity: Entity, **more: Any) -> View:
        """Return the view of a stored entity.

        :param more: the fields that are not fields of the entity.
        :raises ValueError: the entity has not been stored.
        """
        require_id(entity)
        return cast(View, {name: _shown(getattr(entity, name)) for name in self.columns} | more)

    @cached_property
    def _types(self) -> dict[str, tuple[type, bool]]:
        hints = {name: get_args(hint) or (hint,) for name, hint in get_type_hints(self.entity).items()}
        return {
            name: (next(each for each in hint if each is not NoneType), NoneType in hint)
            for name, hint in hints.items()
        }


AnyAggregate = Aggregate[Any, Any]


def _shown(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value


def require_id(entity: Stored) -> int:
    """Return the id of a stored entity.

    :raises ValueError: the entity has not been stored.
    """
    if entity.id is None:
        raise ValueError("the entity has not been stored and has no id")
    return entity.id
