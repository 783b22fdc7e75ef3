"""``/users/``"""

from fastapi import Request, Response

from entrypoints.api import schemas
from entrypoints.api.answers import answer, created, listed
from entrypoints.api.dependencies import Id, WantedPage, container, hashing, reading, writing
from entrypoints.api.documentation import CREATED, LISTED, problems, router_for
from service_layer import items, users

router = router_for("users")


@router.post("/", response_model=schemas.User, responses=CREATED | problems(400, 413, 422))
async def create_user(body: schemas.UserCreate, request: Request) -> Response:
    """Sign somebody up. The address must be new: 400 `Email already registered` otherwise."""
    needed = container(request)
    user = await hashing(
        request,
        users.create_user,
        needed.hasher(),
        email=body.email,
        password=body.password,
        password_min_length=needed.settings().password_min_length,
    )
    return created(user, "/users/", request)


@router.get("/", response_model=list[schemas.User], responses=LISTED | problems(422))
async def list_users(page: WantedPage, request: Request) -> Response:
    """All users in id order, each with their first items."""
    wanted = page.request()
    return listed(await reading(request, users.list_users, wanted), wanted, request)


@router.get("/{user_id}", response_model=schemas.User, responses=problems(404, 422))
async def read_user(user_id: Id, request: Request) -> Response:
    """One user, with their first items."""
    return answer(await reading(request, users.read_user, user_id))


@router.post("/{user_id}/items/", response_model=schemas.Item, responses=CREATED | problems(400, 404, 413, 422))
async def create_user_item(user_id: Id, body: schemas.UserItemCreate, request: Request) -> Response:
    """Keep a new item for this user."""
    item = await writing(request, items.create_item, owner_id=user_id, **body.model_dump())
    return created(item, "/items/", request)


@router.get("/{user_id}/items/", response_model=list[schemas.Item], responses=LISTED | problems(404, 422))
async def list_user_items(user_id: Id, page: WantedPage, request: Request) -> Response:
    """This user's items in id order."""
    wanted = page.request()
    return listed(await reading(request, items.list_user_items, user_id, wanted), wanted, request)
