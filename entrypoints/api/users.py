"""``/users/``"""

from fastapi import APIRouter, Request, Response

from entrypoints.api import schemas
from entrypoints.api.answers import answer, created, listed
from entrypoints.api.dependencies import Hasher, Id, TheLanes, TheSettings, Uow, WantedPage
from entrypoints.api.documentation import CREATED, LISTED, problems
from service_layer import items, users

router = APIRouter(prefix="/users", tags=["users"])


@router.post("/", response_model=schemas.User, responses=CREATED | problems(400, 413, 422))
async def create_user(
    body: schemas.UserCreate, uow: Uow, hasher: Hasher, settings: TheSettings, lanes: TheLanes, request: Request
) -> Response:
    """Sign somebody up. The address must be new: 400 `Email already registered` otherwise."""
    user = await lanes.hashing.run(
        users.create_user,
        uow,
        hasher,
        email=body.email,
        password=body.password,
        password_min_length=settings.password_min_length,
    )
    return created(user, "/users/", request)


@router.get("/", response_model=list[schemas.User], responses=LISTED | problems(422))
async def list_users(page: WantedPage, uow: Uow, lanes: TheLanes, request: Request) -> Response:
    """All users in id order, each with their first items."""
    return listed(await lanes.reading.run(users.list_users, uow, page), page, request)


@router.get("/{user_id}", response_model=schemas.User, responses=problems(404, 422))
async def read_user(user_id: Id, uow: Uow, lanes: TheLanes) -> Response:
    """One user, with their first items."""
    return answer(await lanes.reading.run(users.read_user, uow, user_id))


@router.post("/{user_id}/items/", response_model=schemas.Item, responses=CREATED | problems(400, 404, 413, 422))
async def create_user_item(
    user_id: Id, body: schemas.UserItemCreate, uow: Uow, lanes: TheLanes, request: Request
) -> Response:
    """Keep a new item for this user."""
    item = await lanes.writing.run(items.create_item, uow, owner_id=user_id, **body.model_dump())
    return created(item, "/items/", request)


@router.get("/{user_id}/items/", response_model=list[schemas.Item], responses=LISTED | problems(404, 422))
async def list_user_items(user_id: Id, page: WantedPage, uow: Uow, lanes: TheLanes, request: Request) -> Response:
    """This user's items in id order."""
    return listed(await lanes.reading.run(items.list_user_items, uow, user_id, page), page, request)
