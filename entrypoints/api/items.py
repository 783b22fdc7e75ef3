"""``/items/``"""

from fastapi import Request, Response

from entrypoints.api import schemas
from entrypoints.api.answers import answer, created, listed
from entrypoints.api.dependencies import Id, WantedPage, reading, writing
from entrypoints.api.documentation import CREATED, LISTED, problems, router_for
from service_layer import items

router = router_for("items")


@router.post("/", response_model=schemas.Item, responses=CREATED | problems(400, 404, 413, 422))
async def create_item(body: schemas.ItemCreate, request: Request) -> Response:
    """Keep a new item, for an owner or for nobody."""
    return created(await writing(request, items.create_item, **body.model_dump()), "/items/", request)


@router.get("/", response_model=list[schemas.Item], responses=LISTED | problems(422))
async def list_items(page: WantedPage, request: Request) -> Response:
    """All items in id order."""
    wanted = page.request()
    return listed(await reading(request, items.list_items, wanted), wanted, request)


@router.get("/{item_id}", response_model=schemas.Item, responses=problems(404, 422))
async def read_item(item_id: Id, request: Request) -> Response:
    """One item."""
    return answer(await reading(request, items.read_item, item_id))
