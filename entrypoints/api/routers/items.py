"""The router of ``/items/``."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.types import Receive, Scope, Send

from domain.errors import ItemNotFound, StaleVersion, UserNotFound
from entrypoints.api import schemas
from entrypoints.api.dependencies import ItemId, UnitOfWorkDep
from entrypoints.api.http.conditional import ConditionsDep
from entrypoints.api.http.idempotency import IdempotencyDep
from entrypoints.api.http.openapi import (
    CONDITIONAL_RESPONSES,
    PAGE_RESPONSES,
    STORAGE_RESPONSES,
    TAGGED_RESPONSES,
    created,
    problems,
)
from entrypoints.api.http.preferences import PreferDep
from entrypoints.api.http.problems import problem
from entrypoints.api.http.responses import created_response, item_response, json_response, page_response
from entrypoints.api.queries import ItemQuery, strict_query
from entrypoints.api.routing import PooledRoute
from service_layer import items

router = APIRouter(prefix="/items", tags=["items"], route_class=PooledRoute, responses=STORAGE_RESPONSES)

_PROBLEMS = problems(ItemNotFound, StaleVersion)
_CHANGED = TAGGED_RESPONSES | problems(ItemNotFound, UserNotFound, StaleVersion)


@router.post("/", response_model=schemas.Item, responses=created("item") | problems(UserNotFound))
def create_item(body: schemas.ItemCreate, uow: UnitOfWorkDep, idempotent: IdempotencyDep, request: Request) -> Response:
    """Create an item, with or without an owner."""
    fields = body.model_dump()
    return created_response(items.create_item(uow, **fields, idempotency=idempotent(fields)), "/items/", request)


@router.post("/batch", response_model=list[schemas.Item])
def create_items(body: schemas.ItemBatch, uow: UnitOfWorkDep, idempotent: IdempotencyDep) -> Response:
    """Create up to 1,000 items, all or none. A 422 names the invalid ones by their index, from 0."""
    fields = [each.fields() for each in body.root]
    return json_response(items.create_items(uow, fields, idempotency=idempotent(fields)))


class _BatchMethodNotAllowed:
    """Refuses methods other than POST. Without it, they would match an item with the id ``batch``."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        allow = {"Allow": "OPTIONS, POST"}
        is_options = scope["method"] == "OPTIONS"
        response = Response(None, 204, allow) if is_options else problem(405, "Method Not Allowed", headers=allow)
        await response(scope, receive, send)


router.add_route("/items/batch", _BatchMethodNotAllowed(), include_in_schema=False)  # type: ignore[arg-type]  # ASGI applications are allowed


@router.get("/", response_model=list[schemas.Item], responses=PAGE_RESPONSES, dependencies=[strict_query])
def list_items(
    query: Annotated[ItemQuery, Query()], uow: UnitOfWorkDep, prefer: PreferDep, request: Request
) -> Response:
    """List items, filtered and sorted."""
    page = items.list_items(uow, query.page, query.filter, count=prefer.count)
    return page_response(page, query, request)


@router.get("/{item_id}", response_model=schemas.Item, responses=CONDITIONAL_RESPONSES | _PROBLEMS)
def read_item(item_id: ItemId, uow: UnitOfWorkDep, conditions: ConditionsDep) -> Response:
    """Read one item."""
    return item_response(items.read_item(uow, item_id), conditions)


@router.patch("/{item_id}", response_model=schemas.Item, responses=_CHANGED)
def update_item(item_id: ItemId, body: schemas.ItemUpdate, uow: UnitOfWorkDep, conditions: ConditionsDep) -> Response:
    """Change the given fields of an item; `null` clears one."""
    return item_response(items.update_item(uow, item_id, body.changes(), precondition=conditions.precondition))


@router.delete("/{item_id}", response_model=schemas.Removed, responses=_PROBLEMS)
def delete_item(item_id: ItemId, uow: UnitOfWorkDep, conditions: ConditionsDep) -> Response:
    """Delete an item."""
    items.delete_item(uow, item_id, precondition=conditions.precondition)
    return json_response({"ok": True})
