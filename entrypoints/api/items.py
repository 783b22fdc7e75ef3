"""``/items/``"""

from typing import Annotated

from fastapi import Body, Request, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from entrypoints.api import schemas
from entrypoints.api.answers import answer, changed, created, listed, shown, wants_count
from entrypoints.api.conditional import precondition
from entrypoints.api.dependencies import Id, reading, scanning, writing
from entrypoints.api.documentation import changes, creates, lists, removes, router_for, shows
from entrypoints.api.idempotency_keys import attempt
from entrypoints.api.problems import problem
from entrypoints.api.queries import WantedItems, wanted
from entrypoints.api.scans import is_scan
from service_layer import items

router = router_for("items")

BATCH_MAX = 1000


@router.post("/", response_model=schemas.Item, **creates("item", 404))
async def create_item(body: schemas.ItemCreate, request: Request) -> Response:
    """Keep a new item, for an owner or for nobody."""
    new = body.model_dump()
    item = await writing(request, items.create_item, **new, attempt=attempt(request, new))
    return created(item, "/items/", request)


@router.post("/batch", response_model=list[schemas.Item], **creates(None))
async def create_items(
    body: Annotated[list[schemas.ItemCreate], Body(min_length=1, max_length=BATCH_MAX)], request: Request
) -> Response:
    """Keep up to 1,000 new items, all or none. A 422 names those that cannot be kept by their place, from 0."""
    new: list[items.NewItem] = [each.model_dump() for each in body]  # type: ignore[misc]  # it has these fields
    return answer(await writing(request, items.create_items, new, attempt=attempt(request, new)))


class _OnlyPosted:
    """Answers any other method, which would be taken for one of an item whose id is no number."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        allow = {"Allow": "OPTIONS, POST"}
        is_options = scope["method"] == "OPTIONS"
        answer = Response(None, 204, allow) if is_options else problem(405, "Method Not Allowed", headers=allow)
        await answer(scope, receive, send)


router.routes.append(Route("/items/batch", _OnlyPosted()))


@router.get("/", response_model=list[schemas.Item], **lists(WantedItems))
async def list_items(request: Request) -> Response:
    """The items that are wanted, in the order that is wanted."""
    query = wanted(request, WantedItems)
    place, filter, counted = query.page(), query.filter(), wants_count(request)
    run = scanning if is_scan(place, filter, counted=counted) else reading
    return listed(await run(request, items.list_items, place, filter, counted=counted), query, request)


@router.get("/{item_id}", response_model=schemas.Item, **shows())
async def read_item(item_id: Id, request: Request) -> Response:
    """One item."""
    return shown(await reading(request, items.read_item, item_id), request)


@router.patch("/{item_id}", response_model=schemas.Item, **changes())
async def change_item(item_id: Id, body: schemas.ItemUpdate, request: Request) -> Response:
    """Change some of an item; it may get another owner, or none."""
    update: items.ItemChanges = body.model_dump()  # type: ignore[assignment]  # it has these fields
    return changed(await writing(request, items.change_item, item_id, update, precondition=precondition(request)))


@router.delete("/{item_id}", response_model=schemas.Removed, **removes())
async def remove_item(item_id: Id, request: Request) -> Response:
    """Remove an item."""
    await writing(request, items.remove_item, item_id, precondition=precondition(request))
    return answer({"ok": True})
