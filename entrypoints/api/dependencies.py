"""What endpoints ask for. All of it is ``async``: FastAPI would send anything else through a thread."""

from typing import Annotated

from fastapi import Depends, Path, Query, Request

from entrypoints.api import schemas
from entrypoints.api.lanes import Lanes
from entrypoints.settings import Settings
from service_layer.ports import PasswordHasher, Store, UnitOfWork
from service_layer.read_models import PAGE_MAX, PageRequest


async def _unit_of_work(request: Request) -> UnitOfWork:
    unit: UnitOfWork = request.app.state.container.unit_of_work()
    return unit


async def _hasher(request: Request) -> PasswordHasher:
    hasher: PasswordHasher = request.app.state.container.hasher()
    return hasher


async def _store(request: Request) -> Store:
    store: Store = request.app.state.container.store()
    return store


async def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.container.settings()
    return settings


async def _lanes(request: Request) -> Lanes:
    lanes: Lanes = request.app.state.lanes
    return lanes


async def _page(
    limit: Annotated[schemas.Limit, Query(description="How many rows at most.")] = PAGE_MAX,
    skip: Annotated[
        schemas.Count | None, Query(description="How many rows to pass over. Deep pages are slow this way.")
    ] = None,
    after: Annotated[
        schemas.Count, Query(description="Only rows with a greater id. Deep pages cost what the first one costs.")
    ] = 0,
    offset: Annotated[schemas.Count, Query(description="Another spelling of `skip`; that one wins.")] = 0,
) -> PageRequest:
    return PageRequest(limit=limit, skip=offset if skip is None else skip, after=after)


Uow = Annotated[UnitOfWork, Depends(_unit_of_work)]
Hasher = Annotated[PasswordHasher, Depends(_hasher)]
TheStore = Annotated[Store, Depends(_store)]
TheSettings = Annotated[Settings, Depends(_settings)]
TheLanes = Annotated[Lanes, Depends(_lanes)]
WantedPage = Annotated[PageRequest, Depends(_page)]
Id = Annotated[schemas.Id, Path()]
