"""The router of ``/items/``."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.types import Receive, Scope, Send

from entrypoints.api import schemas
from entrypoints.api.dependencies import ItemId, UnitOfWorkDep
from entrypoints.api.http import openapi
from entrypoints.api.http.conditional import ConditionsDep
from entrypoints.api.http.idempotency import IdempotencyDep
from entrypoints.api.http.openapi import Documented
from entrypoints.api.http.preferences import PreferDep
from entrypoints.api.http.problems import problem
from entrypoints.api.http.responses import created_response, item_response, json_response, page_response
from entrypoints.api.queries import ItemQuery, strict_query
from entrypoints.api.routing import PooledRoute
from service_layer import items
from service_layer.read_models import ITEMS

router = APIRouter(prefix="/items", tags=["items"], route_class=PooledRoute, responses=openapi.STORAGE_RESPONSES)

documented = Documented(ITEMS, schemas.Item)


@router.post("/", **documented.create)
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


@router.get("/", **documented.list, dependencies=[strict_query])
def list_items(
    query: Annotated[ItemQuery, Query()], uow: UnitOfWorkDep, prefer: PreferDep, request: Request
) -> Response:
    """List items, filtered and sorted."""
    return page_response(items.list_items(uow, query.page, query.filter, count=prefer.count), query, request)


@router.get("/{item_id}", **documented.read)
def read_item(item_id: ItemId, uow: UnitOfWorkDep, conditions: ConditionsDep) -> Response:
    """Read one item."""
    return item_response(items.read_item(uow, item_id), conditions)


@router.patch("/{item_id}", **documented.update)
def update_item(item_id: ItemId, body: schemas.ItemUpdate, uow: UnitOfWorkDep, conditions: ConditionsDep) -> Response:
    """Change the given fields of an item; `null` clears one."""
    return item_response(items.update_item(uow, item_id, body.changes(), precondition=conditions.precondition))


@router.delete("/{item_id}", **documented.delete)
def delete_item(item_id: ItemId, uow: UnitOfWorkDep, conditions: ConditionsDep) -> Response:
    """Delete an item."""
    items.delete_item(uow, item_id, precondition=conditions.precondition)
    return json_response({"ok": True})
