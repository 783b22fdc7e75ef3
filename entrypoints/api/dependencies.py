"""What endpoints ask for. All of it is ``async``: FastAPI would send anything else through a thread."""

from typing import Annotated

from fastapi import Depends, Path, Query, Request

from entrypoints.api.lanes import Lanes
from entrypoints.api.schemas import Whole
from entrypoints.settings import Settings
from service_layer.ports import PasswordHasher, Store, UnitOfWork
from service_layer.read_models import ID_MAX, PAGE_MAX, PageRequest


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
    limit: Annotated[Whole, Query(ge=1, le=PAGE_MAX, description="How many rows at most.")] = PAGE_MAX,
    skip: Annotated[
        Whole | None, Query(ge=0, le=ID_MAX, description="How many rows to pass over. Deep pages are slow this way.")
    ] = None,
    after: Annotated[
        Whole,
        Query(ge=0, le=ID_MAX, description="Only rows with a greater id. Deep pages cost what the first one costs."),
    ] = 0,
    offset: Annotated[Whole | None, Query(ge=0, le=ID_MAX, description="Another spelling of `skip`.")] = None,
) -> PageRequest:
    return PageRequest(limit=limit, skip=skip if skip is not None else offset or 0, after=after)


Uow = Annotated[UnitOfWork, Depends(_unit_of_work)]
Hasher = Annotated[PasswordHasher, Depends(_hasher)]
TheStore = Annotated[Store, Depends(_store)]
TheSettings = Annotated[Settings, Depends(_settings)]
TheLanes = Annotated[Lanes, Depends(_lanes)]
WantedPage = Annotated[PageRequest, Depends(_page)]
Id = Annotated[Whole, Path(ge=1, le=ID_MAX)]
