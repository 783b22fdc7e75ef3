"""What most use cases of an aggregate consist of."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from domain.errors import StaleVersion
from service_layer.aggregates import NO_FILTER, Aggregate, Entity, Filter, View
from service_layer.idempotency import IdempotentRequest, run_once
from service_layer.ports import UnitOfWork
from service_layer.read_models import Page, PageParams
from service_layer.retrying import retry_on_deadlock

Precondition = Callable[[View], bool]
"""Returns whether something may be changed, given its current state."""


@retry_on_deadlock
def create(
    uow: UnitOfWork,
    aggregate: Aggregate[Entity, View],
    fields: Mapping[str, Any],
    idempotency: IdempotentRequest | None = None,
) -> View:
    """Add an entity with these fields, commit, and return its view.

    :raises InvalidValue: they break an invariant.
    """
    entity = aggregate.entity(**fields)

    def add() -> View:
        uow.repository(aggregate).add(entity)
        return aggregate.view_of(entity)

    return run_once(uow, idempotency, add)


def read(uow: UnitOfWork, aggregate: Aggregate[Entity, View], id: int) -> View:
    """Return one row.

    :raises NotFound: the aggregate's ``not_found``.
    """
    view = uow.views.read(aggregate, id)
    if view is None:
        raise aggregate.not_found
    return view


def list_page(
    uow: UnitOfWork,
    aggregate: Aggregate[Entity, View],
    page: PageParams,
    filter: Filter = NO_FILTER,
    *,
    count: bool = False,
) -> Page[View]:
    """Return a page of a list, filtered and sorted.

    :param count: whether to count all matching rows, right after the page was read.
    """
    found = uow.views.list(aggregate, page, filter)
    return replace(found, total=uow.views.count(aggregate, filter)) if count else found


@retry_on_deadlock
def update(
    uow: UnitOfWork,
    aggregate: Aggregate[Entity, View],
    id: int,
    changes: Mapping[str, Any],
    precondition: Precondition[View] | None = None,
) -> View:
    """Change some fields, commit, and return the new view.

    :raises StaleVersion: the precondition does not hold.
    """
    with uow:
        entity = _get_if(uow, aggregate, id, precondition)
        for name, value in changes.items():
            setattr(entity, name, value)
        uow.commit()
    return aggregate.view_of(entity)


@retry_on_deadlock
def delete(
    uow: UnitOfWork, aggregate: Aggregate[Entity, View], id: int, precondition: Precondition[View] | None = None
) -> None:
    """Delete an entity and commit.

    :raises StaleVersion: the precondition does not hold.
    """
    with uow:
        uow.repository(aggregate).remove(_get_if(uow, aggregate, id, precondition))
        uow.commit()


def _get_if(
    uow: UnitOfWork, aggregate: Aggregate[Entity, View], id: int, precondition: Precondition[View] | None
) -> Entity:
    entity = uow.repository(aggregate).get(id)
    if precondition and not precondition(aggregate.view_of(entity)):
        raise StaleVersion
    return entity
