"""Entities of every aggregate, made from their declarations."""

import re
from dataclasses import fields
from decimal import Decimal
from typing import Any

from domain.errors import InvalidValue
from service_layer.aggregates import AnyAggregate, require_id
from service_layer.ports import UnitOfWork
from tests.contract.stored import Units

_SAMPLES = {str: "a{0}@b", int: "{0}", Decimal: "{0}.25", bool: "1"}
"""By type: a value that depends on a number. All text can be an email address as well."""


def values(aggregate: AnyAggregate, number: int) -> dict[str, Any]:
    """Values for all fields that can be chosen, except references. They keep the bounds that the class insists on."""
    chosen = [field.name for field in fields(aggregate.entity) if field.init and field.name not in ("id", "version")]
    kinds = {name: aggregate.kind(name) for name in chosen if name not in aggregate.references}
    sample = {name: kind(_SAMPLES[kind].format(number)) for name, kind in kinds.items()}
    for _ in sample:
        try:
            aggregate.entity(**sample, **dict.fromkeys(aggregate.references, 1))
        except InvalidValue as error:
            bounds = [int(bound) for bound in re.findall(r"-?\d+", error.reason)]
            sample[error.field] = _fitting(kinds[error.field], number, *bounds)
    return sample


def _fitting(kind: type, number: int, bound: int, maximum: int | None = None) -> Any:
    """A value that a class accepts which has refused another one, given the bounds that it named."""
    if maximum is None:  # the length of text
        return str(number).zfill(bound)[-bound:]
    return kind(bound + number % (maximum - bound + 1))


def add_sample(uow: UnitOfWork, aggregate: AnyAggregate, number: int, **given: Any) -> Any:
    """Add an entity, and the ones that it must refer to. Equal numbers make equal values."""
    for column, target in aggregate.references.items():
        if column not in given and not aggregate.is_nullable(column):
            given[column] = require_id(add_sample(uow, target, number))
    entity = aggregate.entity(**values(aggregate, number) | given)
    uow.repository(aggregate).add(entity)
    return entity


def stored_sample(units: Units, aggregate: AnyAggregate, number: int, **given: Any) -> int:
    """Store such an entity and return its id."""
    with units() as uow:
        entity = add_sample(uow, aggregate, number, **given)
        uow.commit()
    return require_id(entity)
