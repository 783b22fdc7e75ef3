"""The router of ``/users/``."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from domain.errors import EmailTaken, StaleVersion, UserNotFound
from entrypoints.api import schemas
from entrypoints.api.dependencies import UnitOfWorkDep, UserId
from entrypoints.api.http import openapi
from entrypoints.api.http.conditional import ConditionsDep
from entrypoints.api.http.idempotency import IdempotencyDep
from entrypoints.api.http.openapi import created, problems
from entrypoints.api.http.passwords import PasswordsDep
from entrypoints.api.http.preferences import PreferDep
from entrypoints.api.http.responses import created_response, item_response, json_response, page_response
from entrypoints.api.http.unsent import ResponseRoomDep
from entrypoints.api.queries import UserItemQuery, UserQuery, strict_query
from entrypoints.api.routing import PooledRoute
from service_layer import items, users

router = APIRouter(prefix="/users", tags=["users"], route_class=PooledRoute, responses=openapi.STORAGE_RESPONSES)

_CREATED = created("user", **openapi.QUOTA) | openapi.TOO_MANY_REQUESTS | problems(EmailTaken)
_ITEMS = openapi.PAGE_RESPONSES | problems(UserNotFound)
_PROBLEMS = problems(UserNotFound, StaleVersion)
_CHANGED = (
    {200: {"headers": openapi.TAG | openapi.QUOTA}} | openapi.TOO_MANY_REQUESTS | _PROBLEMS | problems(EmailTaken)
)


@router.post("/", response_model=schemas.User, responses=_CREATED)
def create_user(
    body: schemas.UserCreate, uow: UnitOfWorkDep, passwords: PasswordsDep, idempotent: IdempotencyDep, request: Request
) -> Response:
    """Sign up a user. If the address is taken: 400 `Email already registered`."""
    passwords.count()
    fields, least = body.model_dump(), passwords.min_length
    idempotency = idempotent({"email": body.email})
    user = users.create_user(uow, passwords.hasher, **fields, password_min_length=least, idempotency=idempotency)
    return created_response(user, "/users/", request)


@router.get("/", response_model=list[schemas.User], responses=openapi.PAGE_RESPONSES, dependencies=[strict_query])
def list_users(
    query: Annotated[UserQuery, Query()], uow: UnitOfWorkDep, prefer: PreferDep, request: Request
) -> Response:
    """List users by id, each with their first items."""
    return page_response(users.list_users(uow, query.page, query.filter, count=prefer.count), query, request)


@router.get("/{user_id}", response_model=schemas.User, responses=openapi.CONDITIONAL_RESPONSES | _PROBLEMS)
def read_user(user_id: UserId, uow: UnitOfWorkDep, conditions: ConditionsDep) -> Response:
    """Read one user, with their first items."""
    return item_response(users.read_user(uow, user_id), conditions)


@router.patch("/{user_id}", response_model=schemas.User, responses=_CHANGED)
def update_user(
    user_id: UserId,
    body: schemas.UserUpdate,
    uow: UnitOfWorkDep,
    passwords: PasswordsDep,
    conditions: ConditionsDep,
    _: ResponseRoomDep,
) -> Response:
    """Change the given fields of a user. If the new address is taken: 400 `Email already registered`."""
    changes, hasher, least = body.changes(), passwords.hasher, passwords.min_length
    if "password" in changes:
        passwords.count()
    precondition = conditions.precondition
    user = users.update_user(uow, hasher, user_id, changes, password_min_length=least, precondition=precondition)
    return item_response(user)


@router.delete("/{user_id}", response_model=schemas.Removed, responses=_PROBLEMS)
def delete_user(user_id: UserId, uow: UnitOfWorkDep, conditions: ConditionsDep) -> Response:
    """Delete a user and all of their items."""
    users.delete_user(uow, user_id, precondition=conditions.precondition)
    return json_response({"ok": True})


@router.post("/{user_id}/items/", response_model=schemas.Item, responses=created("item") | problems(UserNotFound))
def create_user_item(
    user_id: UserId, body: schemas.UserItemCreate, uow: UnitOfWorkDep, idempotent: IdempotencyDep, request: Request
) -> Response:
    """Create an item for a user."""
    fields = body.model_dump()
    item = items.create_item(uow, owner_id=user_id, **fields, idempotency=idempotent(fields))
    return created_response(item, "/items/", request)


@router.get("/{user_id}/items/", response_model=list[schemas.Item], responses=_ITEMS, dependencies=[strict_query])
def list_user_items(
    user_id: UserId, query: Annotated[UserItemQuery, Query()], uow: UnitOfWorkDep, prefer: PreferDep, request: Request
) -> Response:
    """List the items of a user by id."""
    page = items.list_user_items(uow, user_id, query.page, count=prefer.count)
    return page_response(page, query, request)
