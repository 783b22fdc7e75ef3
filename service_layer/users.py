"""What can be done with users."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypedDict

from domain.errors import StaleVersion, UserNotFound
from domain.passwords import PASSWORD_MIN_LENGTH, check_password
from domain.users import User
from service_layer.idempotency import IdempotentRequest, run_once
from service_layer.ports import PasswordHasher, UnitOfWork
from service_layer.read_models import (
    ALL_USERS,
    EMBEDDED_ITEMS,
    Page,
    PageParams,
    UserFilter,
    UserView,
    item_view,
    require_id,
    user_view,
)
from service_layer.retrying import retry_on_deadlock


class UserChanges(TypedDict, total=False):
    """What is to change; what is not in it stays."""

    email: str
    password: str
    is_active: bool


Precondition = Callable[[UserView], bool]
"""Whether a user, as they are now, may be changed."""


@retry_on_deadlock
def create_user(
    uow: UnitOfWork,
    hasher: PasswordHasher,
    *,
    email: str,
    password: str,
    password_min_length: int = PASSWORD_MIN_LENGTH,
    idempotency: IdempotentRequest | None = None,
) -> UserView:
    """Sign somebody up.

    :raises EmailTaken: somebody has signed up with this address before.
    :raises InvalidValue: it is not an address, or the password is too short or too long.
    """
    check_password(password, least=password_min_length)
    user = User(email=email, hashed_password=hasher.hash(password))
    if idempotency:
        idempotency = idempotency.including(hasher.fingerprint(password, idempotency.key))

    def add() -> UserView:
        uow.users.add(user)
        return user_view(user)

    return run_once(uow, idempotency, add)


def read_user(uow: UnitOfWork, user_id: int) -> UserView:
    """One user with the first items.

    :raises UserNotFound: no user has this id.
    """
    user = uow.views.user(user_id)
    if user is None:
        raise UserNotFound
    return user


def list_users(
    uow: UnitOfWork, page: PageParams, wanted: UserFilter = ALL_USERS, *, counted: bool = False
) -> Page[UserView]:
    """The users that are wanted, in id order.

    :param counted: whether to count them all, right after the page was read.
    """
    found = uow.views.users(page, wanted)
    return replace(found, total=uow.views.count_users(wanted)) if counted else found


@retry_on_deadlock
def update_user(
    uow: UnitOfWork,
    hasher: PasswordHasher,
    user_id: int,
    changes: UserChanges,
    *,
    password_min_length: int = PASSWORD_MIN_LENGTH,
    precondition: Precondition | None = None,
) -> UserView:
    """Change some of what is known of a user.

    :raises InvalidValue: as for ``create_user``, whether there is such a user or not.
    :raises UserNotFound: no user has this id.
    :raises StaleVersion: the precondition does not hold.
    :raises EmailTaken: as for ``create_user``.
    """
    if "email" in changes:
        User(email=changes["email"], hashed_password="")  # refuses what no user may have
    hashed = None
    if "password" in changes:
        check_password(changes["password"], least=password_min_length)
        seen = read_user(uow, user_id)  # so that nothing is hashed where nothing can be changed
        if precondition and not precondition(seen):
            raise StaleVersion
        hashed = hasher.hash(changes["password"])  # before anybody has to wait for this unit of work
    with uow:
        user = uow.users.get(user_id)
        items = _expected(uow, user, precondition)["items"]
        user.email = changes.get("email", user.email)
        user.is_active = changes.get("is_active", user.is_active)
        user.hashed_password = hashed or user.hashed_password
        uow.commit()
    return user_view(user, items)


@retry_on_deadlock
def delete_user(uow: UnitOfWork, user_id: int, *, precondition: Precondition | None = None) -> None:
    """Remove a user and all of their items.

    :raises UserNotFound: no user has this id.
    :raises StaleVersion: the precondition does not hold.
    """
    with uow:
        user = uow.users.get(user_id)
        if precondition:  # without the lock, a change of an item might be acknowledged, and be gone with them
            _expected(uow, user, precondition, locked=True)
        uow.users.remove(user)
        uow.commit()


def _expected(uow: UnitOfWork, user: User, precondition: Precondition | None, *, locked: bool = False) -> UserView:
    """A user whom this unit of work has, as they are shown, and with ``locked`` their items as well.

    :raises StaleVersion: the precondition does not hold.
    """
    items = uow.items.owned_by(require_id(user), EMBEDDED_ITEMS, locked=locked)
    view = user_view(user, [item_view(item) for item in items])
    if precondition and not precondition(view):
        raise StaleVersion
    return view
