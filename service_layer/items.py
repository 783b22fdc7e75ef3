"""What can be done with items."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TypedDict

from domain.errors import BelongingsError, InvalidValue, ItemNotFound, StaleVersion, UserNotFound
from domain.items import Item
from service_layer.errors import BatchRejected
from service_layer.idempotency import IdempotentRequest, run_once
from service_layer.ports import UnitOfWork
from service_layer.read_models import ALL_ITEMS, ItemFilter, ItemView, Page, PageParams, item_view
from service_layer.retrying import retry_on_deadlock


class _Details(TypedDict, total=False):
    description: str | None
    price: Decimal | None
    owner_id: int | None


class NewItem(_Details):
    """What an item is made of."""

    title: str


class ItemChanges(_Details, total=False):
    """What is to change; what is not in it stays."""

    title: str


Precondition = Callable[[ItemView], bool]
"""Whether an item, as it is now, may be changed."""


@retry_on_deadlock
def create_item(
    uow: UnitOfWork,
    *,
    title: str,
    description: str | None = None,
    price: Decimal | None = None,
    owner_id: int | None = None,
    idempotency: IdempotentRequest | None = None,
) -> ItemView:
    """Keep a new item, for its owner if one is named.

    :raises UserNotFound: its owner does not exist.
    :raises InvalidValue: it breaks an invariant of ``Item``.
    """
    item = Item(title=title, description=description, price=price, owner_id=owner_id)

    def add() -> ItemView:
        uow.items.add(item)
        return item_view(item)

    return run_once(uow, idempotency, add)


@retry_on_deadlock
def create_items(
    uow: UnitOfWork, new: Sequence[NewItem], *, idempotency: IdempotentRequest | None = None
) -> list[ItemView]:
    """Keep all of these new items, or none.

    :raises BatchRejected: some cannot be kept, each for a reason of ``create_item``.
    """
    errors: dict[int, BelongingsError] = {}
    items: list[Item] = []
    for place, each in enumerate(new):
        try:
            items.append(Item(**each))
        except InvalidValue as error:
            errors[place] = error
    if errors:
        raise BatchRejected(errors)

    def add() -> list[ItemView]:
        for place, item in enumerate(items):
            try:
                uow.items.add(item)
            except UserNotFound as error:
                errors[place] = error
        if errors:
            raise BatchRejected(errors)
        return [item_view(item) for item in items]

    return run_once(uow, idempotency, add)


def read_item(uow: UnitOfWork, item_id: int) -> ItemView:
    """One item.

    :raises ItemNotFound: no item has this id.
    """
    item = uow.views.item(item_id)
    if item is None:
        raise ItemNotFound
    return item


def list_items(
    uow: UnitOfWork, page: PageParams, wanted: ItemFilter = ALL_ITEMS, *, counted: bool = False
) -> Page[ItemView]:
    """The items that are wanted, in the order that is wanted.

    :param counted: whether to count them all, right after the page was read.
    """
    found = uow.views.items(page, wanted)
    return replace(found, total=uow.views.count_items(wanted)) if counted else found


def list_user_items(uow: UnitOfWork, user_id: int, page: PageParams, *, counted: bool = False) -> Page[ItemView]:
    """One user's items, in id order.

    :raises UserNotFound: no user has this id.
    """
    items = uow.views.user_items(user_id, page)
    if items is None:
        raise UserNotFound
    return replace(items, total=uow.views.count_items(ItemFilter(owner=user_id))) if counted else items


@retry_on_deadlock
def update_item(
    uow: UnitOfWork, item_id: int, changes: ItemChanges, *, precondition: Precondition | None = None
) -> ItemView:
    """Change some of what is known of an item; it may get another owner, or none.

    :raises InvalidValue: as for ``create_item``, whether there is such an item or not.
    :raises ItemNotFound: no item has this id.
    :raises StaleVersion: the precondition does not hold.
    :raises UserNotFound: as for ``create_item``.
    """
    valid: NewItem = {"title": "any", **changes}
    Item(**valid)  # refuses what no item may have
    with uow:
        item = _expected(uow, item_id, precondition)
        for name, value in changes.items():
            setattr(item, name, value)
        uow.commit()
    return item_view(item)


@retry_on_deadlock
def delete_item(uow: UnitOfWork, item_id: int, *, precondition: Precondition | None = None) -> None:
    """Remove an item.

    :raises ItemNotFound: no item has this id.
    :raises StaleVersion: the precondition does not hold.
    """
    with uow:
        uow.items.remove(_expected(uow, item_id, precondition))
        uow.commit()


def _expected(uow: UnitOfWork, item_id: int, precondition: Precondition | None) -> Item:
    """The item, which nobody else can change until this unit of work ends."""
    item = uow.items.get(item_id)
    if precondition and not precondition(item_view(item)):
        raise StaleVersion
    return item
