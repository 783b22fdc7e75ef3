"""What can be done with items."""

from decimal import Decimal

from domain.errors import ItemNotFound, UserNotFound
from domain.items import Item
from service_layer.ports import UnitOfWork
from service_layer.read_models import ItemView, Page, PageRequest, item_view


def create_item(
    uow: UnitOfWork,
    *,
    title: str,
    description: str | None = None,
    price: Decimal | None = None,
    owner_id: int | None = None,
) -> ItemView:
    """Keep a new item, for its owner if one is named.

    :raises UserNotFound: its owner does not exist.
    :raises InvalidValue: it breaks an invariant of ``Item``.
    """
    item = Item(title=title, description=description, price=price, owner_id=owner_id)
    with uow:
        uow.items.add(item)
        uow.commit()
    return item_view(item)


def read_item(uow: UnitOfWork, item_id: int) -> ItemView:
    """One item.

    :raises ItemNotFound: no item has this id.
    """
    item = uow.views.item(item_id)
    if item is None:
        raise ItemNotFound
    return item


def list_items(uow: UnitOfWork, page: PageRequest) -> Page[ItemView]:
    """All items, in id order."""
    return uow.views.items(page)


def list_user_items(uow: UnitOfWork, user_id: int, page: PageRequest) -> Page[ItemView]:
    """One user's items, in id order.

    :raises UserNotFound: no user has this id.
    """
    items = uow.views.user_items(user_id, page)
    if items is None:
        raise UserNotFound
    return items
