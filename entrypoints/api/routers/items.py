"""``/items/``"""

from typing import Annotated

from fastapi import APIRouter, Body, Query, Request, Response

from entrypoints.api import schemas
from entrypoints.api.conditional import ConditionsDep
from entrypoints.api.dependencies import ItemId, UnitOfWorkDep
from entrypoints.api.documentation import problems
from entrypoints.api.idempotency_keys import IdempotencyDep
from entrypoints.api.preferences import PreferDep
from entrypoints.api.problems import problem
from entrypoints.api.queries import ItemQuery, strict_query
from entrypoints.api.responses import created_response, item_response, json_response, page_response
from entrypoints.api.routing import PooledRoute
from service_layer import items

router = APIRouter(prefix="/items", tags=["items"], route_class=PooledRoute, responses=problems(500, 503, 507))

BATCH_MAX = 1000


@router.post("/", response_model=schemas.Item, responses=problems(400, 404, 408, 409, 413, 422))
def create_item(
    body: schemas.ItemCreate, uow: UnitOfWorkDep, idempotency: IdempotencyDep, request: Request
) -> Response:
    """Create an item, with an owner or without."""
    fields = body.model_dump()
    return created_response(items.create_item(uow, **fields, attempt=idempotency(fields)), "/items/", request)


@router.post("/batch", response_model=list[schemas.Item], responses=problems(400, 408, 409, 413, 422))
def create_items(
    body: Annotated[list[schemas.ItemCreate], Body(min_length=1, max_length=BATCH_MAX)],
    uow: UnitOfWorkDep,
    idempotency: IdempotencyDep,
) -> Response:
    """Create up to 1,000 items, all or none. A 422 names those that are refused by their place, from 0."""
    fields = [each.fields() for each in body]
    return json_response(items.create_items(uow, fields, attempt=idempotency(fields)))


@router.api_route("/batch", methods=["GET", "PUT", "PATCH", "DELETE"], include_in_schema=False)
def only_post() -> Response:
    """Refuse other methods, which would be taken for those of an item with the id "batch"."""
    return problem(405, "Method Not Allowed", headers={"Allow": "POST"})


@router.get("/", response_model=list[schemas.Item], responses=problems(422), dependencies=[strict_query])
def list_items(
    query: Annotated[ItemQuery, Query()], uow: UnitOfWorkDep, prefer: PreferDep, request: Request
) -> Response:
    """List items, filtered and sorted."""
    page = items.list_items(uow, query.page(), query.filter(), counted=prefer.count)
    return page_response(page, query, request)


@router.get("/{item_id}", response_model=schemas.Item, responses=problems(404, 412, 422))
def read_item(item_id: ItemId, uow: UnitOfWorkDep, conditions: ConditionsDep) -> Response:
    """Read one item."""
    return item_response(items.read_item(uow, item_id), conditions)


@router.patch("/{item_id}", response_model=schemas.Item, responses=problems(400, 404, 408, 412, 413, 422))
def update_item(item_id: ItemId, body: schemas.ItemUpdate, uow: UnitOfWorkDep, conditions: ConditionsDep) -> Response:
    """Change the given fields of an item; `null` clears one."""
    return item_response(items.change_item(uow, item_id, body.changes(), precondition=conditions.precondition))


@router.delete("/{item_id}", response_model=schemas.Removed, responses=problems(404, 412, 422))
def delete_item(item_id: ItemId, uow: UnitOfWorkDep, conditions: ConditionsDep) -> Response:
    """Delete an item."""
    items.remove_item(uow, item_id, precondition=conditions.precondition)
    return json_response({"ok": True})
