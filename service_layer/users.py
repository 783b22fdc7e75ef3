"""What can be done with users."""

from domain.errors import UserNotFound
from domain.passwords import PASSWORD_MIN_LENGTH, check_password
from domain.users import User
from service_layer.ports import PasswordHasher, UnitOfWork
from service_layer.read_models import Page, PageRequest, UserView, user_view


def create_user(
    uow: UnitOfWork,
    hasher: PasswordHasher,
    *,
    email: str,
    password: str,
    password_min_length: int = PASSWORD_MIN_LENGTH,
) -> UserView:
    """Sign somebody up.

    :raises EmailTaken: somebody has signed up with this address before.
    :raises InvalidValue: it is not an address, or the password is too short or too long.
    """
    check_password(password, least=password_min_length)
    user = User(email=email, hashed_password=hasher.hash(password))
    with uow:
        uow.users.add(user)
        uow.commit()
    return user_view(user)


def read_user(uow: UnitOfWork, user_id: int) -> UserView:
    """One user with the first items.

    :raises UserNotFound: no user has this id.
    """
    user = uow.views.user(user_id)
    if user is None:
        raise UserNotFound
    return user


def list_users(uow: UnitOfWork, page: PageRequest) -> Page[UserView]:
    """Everybody, in id order."""
    return uow.views.users(page)
