"""``/users/``"""

from fastapi import Request, Response

from entrypoints.api import schemas
from entrypoints.api.answers import answer, changed, created, listed, shown, wants_count
from entrypoints.api.conditional import precondition
from entrypoints.api.dependencies import Id, container, hashing, reading, scanning, writing
from entrypoints.api.documentation import changes, creates, lists, removes, router_for, shows
from entrypoints.api.idempotency_keys import attempt
from entrypoints.api.queries import WantedPage, WantedUsers, wanted
from entrypoints.api.scans import is_scan
from entrypoints.api.sign_up_limit import count_sign_up
from service_layer import items, users

router = router_for("users")


@router.post("/", response_model=schemas.User, **creates("user", 429))
async def create_user(body: schemas.UserCreate, request: Request) -> Response:
    """Sign somebody up. The address must be new: 400 `Email already registered` otherwise."""
    await count_sign_up(request)
    needed = container(request)
    user = await hashing(
        request,
        users.create_user,
        needed.hasher(),
        email=body.email,
        password=body.password,
        password_min_length=needed.settings().password_min_length,
        attempt=attempt(request, body.model_dump(exclude={"password"})),
    )
    return created(user, "/users/", request)


@router.get("/", response_model=list[schemas.User], **lists(WantedUsers))
async def list_users(request: Request) -> Response:
    """The users that are wanted, in id order, each with their first items."""
    query = wanted(request, WantedUsers)
    place, counted = query.page(), wants_count(request)
    run = scanning if is_scan(place, counted=counted) else reading
    return listed(await run(request, users.list_users, place, query.filter(), counted=counted), query, request)


@router.get("/{user_id}", response_model=schemas.User, **shows())
async def read_user(user_id: Id, request: Request) -> Response:
    """One user, with their first items."""
    return shown(await reading(request, users.read_user, user_id), request)


@router.patch("/{user_id}", response_model=schemas.User, **changes(429))
async def change_user(user_id: Id, body: schemas.UserUpdate, request: Request) -> Response:
    """Change some of what is known of a user. A new address must be one that nobody else has."""
    needed = container(request)
    update: users.UserChanges = body.model_dump()  # type: ignore[assignment]  # it has these fields
    run = writing
    if "password" in update:
        await count_sign_up(request)
        run = hashing
    user = await run(
        request,
        users.change_user,
        needed.hasher(),
        user_id,
        update,
        password_min_length=needed.settings().password_min_length,
        precondition=precondition(request),
    )
    return changed(user)


@router.delete("/{user_id}", response_model=schemas.Removed, **removes())
async def remove_user(user_id: Id, request: Request) -> Response:
    """Remove a user and all of their items."""
    await writing(request, users.remove_user, user_id, precondition=precondition(request))
    return answer({"ok": True})


@router.post("/{user_id}/items/", response_model=schemas.Item, **creates("item", 404))
async def create_user_item(user_id: Id, body: schemas.UserItemCreate, request: Request) -> Response:
    """Keep a new item for this user."""
    new = body.model_dump()
    item = await writing(request, items.create_item, owner_id=user_id, **new, attempt=attempt(request, new))
    return created(item, "/items/", request)


@router.get("/{user_id}/items/", response_model=list[schemas.Item], **lists(WantedPage, 404))
async def list_user_items(user_id: Id, request: Request) -> Response:
    """This user's items in id order."""
    query = wanted(request, WantedPage)
    place, counted = query.page(), wants_count(request)
    run = scanning if is_scan(place, counted=counted) else reading
    return listed(await run(request, items.list_user_items, user_id, place, counted=counted), query, request)
