"""Use cases for users."""

from typing import TypedDict

from domain.errors import StaleVersion
from domain.passwords import PASSWORD_MIN_LENGTH, check_password
from domain.users import User, check_email
from service_layer.aggregates import NO_FILTER, Filter, require_id
from service_layer.idempotency import IdempotentRequest, run_once
from service_layer.ports import PasswordHasher, UnitOfWork
from service_layer.read_models import EMBEDDED_ITEMS, ITEMS, USERS, Page, PageParams, UserView
from service_layer.retrying import retry_on_deadlock
from service_layer.use_cases import Precondition, list_page, read


class UserChanges(TypedDict, total=False):
    """The fields to change; missing ones keep their values."""

    email: str
    password: str
    is_active: bool


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
    """Create a user.

    :raises EmailTaken: another user has this address.
    :raises InvalidValue: the address is not valid, or the password is too short or too long.
    """
    check_password(password, min_length=password_min_length)
    user = User(email=email, hashed_password=hasher.hash(password))
    if idempotency:
        idempotency = idempotency.extend_fingerprint(hasher.fingerprint(password, idempotency.key))

    def add() -> UserView:
        uow.users.add(user)
        return USERS.view_of(user, items=[])

    return run_once(uow, idempotency, add)


def read_user(uow: UnitOfWork, user_id: int) -> UserView:
    """Return one user with their first items.

    :raises UserNotFound: no user has this id.
    """
    return read(uow, USERS, user_id)


def list_users(uow: UnitOfWork, page: PageParams, filter: Filter = NO_FILTER, *, count: bool = False) -> Page[UserView]:
    """List users, filtered, in id order.

    :param count: whether to count all matching users, right after the page was read.
    """
    return list_page(uow, USERS, page, filter, count=count)


@retry_on_deadlock
def update_user(
    uow: UnitOfWork,
    hasher: PasswordHasher,
    user_id: int,
    changes: UserChanges,
    *,
    password_min_length: int = PASSWORD_MIN_LENGTH,
    precondition: Precondition[UserView] | None = None,
) -> UserView:
    """Change some fields of a user.

    :raises InvalidValue: as for ``create_user``, even if no user has this id.
    :raises UserNotFound: no user has this id.
    :raises StaleVersion: the precondition does not hold.
    :raises EmailTaken: as for ``create_user``.
    """
    if "email" in changes:
        check_email(changes["email"])
    hashed = None
    if "password" in changes:
        check_password(changes["password"], min_length=password_min_length)
        current = read_user(uow, user_id)  # fails before the expensive hash
        if precondition and not precondition(current):
            raise StaleVersion
        hashed = hasher.hash(changes["password"])  # before the unit of work takes any lock
    with uow:
        user = uow.users.get(user_id)
        items = _check_precondition(uow, user, precondition)["items"]
        user.email = changes.get("email", user.email)
        user.is_active = changes.get("is_active", user.is_active)
        user.hashed_password = hashed or user.hashed_password
        uow.commit()
    return USERS.view_of(user, items=items)


@retry_on_deadlock
def delete_user(uow: UnitOfWork, user_id: int, *, precondition: Precondition[UserView] | None = None) -> None:
    """Delete a user and all of their items.

    :raises UserNotFound: no user has this id.
    :raises StaleVersion: the precondition does not hold.
    """
    with uow:
        user = uow.users.get(user_id)
        if precondition:  # without the lock, a concurrent change of an item could be acknowledged and then lost
            _check_precondition(uow, user, precondition, for_update=True)
        uow.users.remove(user)
        uow.commit()


def _check_precondition(
    uow: UnitOfWork, user: User, precondition: Precondition[UserView] | None, *, for_update: bool = False
) -> UserView:
    """Return the view of a user that this unit of work has loaded.

    :param for_update: lock the items as well.
    :raises StaleVersion: the precondition does not hold.
    """
    items = uow.items.find("owner_id", require_id(user), EMBEDDED_ITEMS, for_update=for_update)
    view = USERS.view_of(user, items=[ITEMS.view_of(item) for item in items])
    if precondition and not precondition(view):
        raise StaleVersion
    return view
