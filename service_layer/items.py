"""Use cases for items."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TypedDict

from domain.errors import BelongingsError, InvalidValue, UserNotFound
from domain.items import Item, check_description, check_title, exact_price
from service_layer.aggregates import NO_FILTER, Filter
from service_layer.errors import BatchRejected
from service_layer.idempotency import IdempotentRequest, run_once
from service_layer.ports import UnitOfWork
from service_layer.read_models import ITEMS, ItemView, Page, PageParams
from service_layer.retrying import retry_on_deadlock
from service_layer.use_cases import Precondition, create, delete, list_page, read, update


class _Details(TypedDict, total=False):
    description: str | None
    price: Decimal | None
    owner_id: int | None


class NewItem(_Details):
    """The fields of a new item."""

    title: str


class ItemChanges(_Details, total=False):
    """The fields to change; missing ones keep their values."""

    title: str


def create_item(
    uow: UnitOfWork,
    *,
    title: str,
    description: str | None = None,
    price: Decimal | None = None,
    owner_id: int | None = None,
    idempotency: IdempotentRequest | None = None,
) -> ItemView:
    """Create an item, with or without an owner.

    :raises UserNotFound: the owner does not exist.
    :raises InvalidValue: a value breaks an invariant of ``Item``.
    """
    fields = NewItem(title=title, description=description, price=price, owner_id=owner_id)
    return create(uow, ITEMS, fields, idempotency)


@retry_on_deadlock
def create_items(
    uow: UnitOfWork, new: Sequence[NewItem], *, idempotency: IdempotentRequest | None = None
) -> list[ItemView]:
    """Create all of these items, or none.

    :raises BatchRejected: some are invalid; it holds for each the error that ``create_item`` would raise.
    """
    errors: dict[int, BelongingsError] = {}
    items: list[Item] = []
    for index, each in enumerate(new):
        try:
            items.append(Item(**each))
        except InvalidValue as error:
            errors[index] = error
    if errors:
        raise BatchRejected(errors)

    def add() -> list[ItemView]:
        for index, item in enumerate(items):
            try:
                uow.items.add(item)
            except UserNotFound as error:
                errors[index] = error
        if errors:
            raise BatchRejected(errors)
        return [ITEMS.view_of(item) for item in items]

    return run_once(uow, idempotency, add)


def read_item(uow: UnitOfWork, item_id: int) -> ItemView:
    """Return one item.

    :raises ItemNotFound: no item has this id.
    """
    return read(uow, ITEMS, item_id)


def list_items(uow: UnitOfWork, page: PageParams, filter: Filter = NO_FILTER, *, count: bool = False) -> Page[ItemView]:
    """List items, filtered and sorted.

    :param count: whether to count all matching items, right after the page was read.
    """
    return list_page(uow, ITEMS, page, filter, count=count)


def list_user_items(uow: UnitOfWork, user_id: int, page: PageParams, *, count: bool = False) -> Page[ItemView]:
    """List the items of one user, in id order.

    :raises UserNotFound: no user has this id.
    """
    items = uow.views.user_items(user_id, page)
    if items is None:
        raise UserNotFound
    return replace(items, total=uow.views.count(ITEMS, {"owner_id": user_id})) if count else items


def update_item(
    uow: UnitOfWork, item_id: int, changes: ItemChanges, *, precondition: Precondition[ItemView] | None = None
) -> ItemView:
    """Change some fields of an item. It may get another owner, or none.

    :raises InvalidValue: as for ``create_item``, even if no item has this id.
    :raises ItemNotFound: no item has this id.
    :raises StaleVersion: the precondition does not hold.
    :raises UserNotFound: as for ``create_item``.
    """
    if "title" in changes:
        check_title(changes["title"])
    check_description(changes.get("description"))
    if (price := changes.get("price")) is not None:
        exact_price(price)
    return update(uow, ITEMS, item_id, changes, precondition)


def delete_item(uow: UnitOfWork, item_id: int, *, precondition: Precondition[ItemView] | None = None) -> None:
    """Delete an item.

    :raises ItemNotFound: no item has this id.
    :raises StaleVersion: the precondition does not hold.
    """
    delete(uow, ITEMS, item_id, precondition)
