"""FastAPI dependencies of the endpoints, such as ``uow: UnitOfWorkDep``. ``app.dependency_overrides`` replaces them.

They do no I/O and are ``async def``; otherwise, FastAPI would run them in a thread.
"""

from typing import Annotated

from fastapi import Depends, Path, Request

from entrypoints.api import schemas
from entrypoints.container import Container
from service_layer.ports import UnitOfWork

ItemId = Annotated[schemas.Id, Path(description="The id of an item.")]
UserId = Annotated[schemas.Id, Path(description="The id of a user.")]


async def container(request: Request) -> Container:
    """The dependency-injection container of the application."""
    container: Container = request.app.state.container
    return container


async def unit_of_work(request: Request) -> UnitOfWork:
    """A unit of work for this request."""
    uow: UnitOfWork = request.app.state.container.unit_of_work()
    return uow


ContainerDep = Annotated[Container, Depends(container)]
UnitOfWorkDep = Annotated[UnitOfWork, Depends(unit_of_work)]
