"""``/items/``"""

from fastapi import APIRouter, Request, Response

from entrypoints.api import schemas
from entrypoints.api.answers import answer, created, listed
from entrypoints.api.dependencies import Id, TheLanes, Uow, WantedPage
from entrypoints.api.documentation import CREATED, LISTED, problems
from service_layer import items

router = APIRouter(prefix="/items", tags=["items"])


@router.post("/", response_model=schemas.Item, responses=CREATED | problems(400, 404, 413, 422))
async def create_item(body: schemas.ItemCreate, uow: Uow, lanes: TheLanes, request: Request) -> Response:
    """Keep a new item, for an owner or for nobody."""
    item = await lanes.writing.run(items.create_item, uow, **body.model_dump())
    return created(item, "/items/", request)


@router.get("/", response_model=list[schemas.Item], responses=LISTED | problems(422))
async def list_items(page: WantedPage, uow: Uow, lanes: TheLanes, request: Request) -> Response:
    """All items in id order."""
    return listed(await lanes.reading.run(items.list_items, uow, page), page, request)


@router.get("/{item_id}", response_model=schemas.Item, responses=problems(404, 422))
async def read_item(item_id: Id, uow: Uow, lanes: TheLanes) -> Response:
    """One item."""
    return answer(await lanes.reading.run(items.read_item, uow, item_id))
