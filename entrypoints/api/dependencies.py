"""What endpoints depend on: ``uow: UnitOfWorkDep`` and the like.

They are declared as FastAPI's documentation teaches, and ``app.dependency_overrides`` replaces them. Those that need
no I/O are ``async def``; FastAPI would run them in a thread otherwise.
"""

from typing import Annotated

from fastapi import Depends, Path, Request

from entrypoints.api import schemas
from entrypoints.container import Container
from entrypoints.settings import Settings
from service_layer.ports import PasswordHasher, UnitOfWork

ItemId = Annotated[schemas.Id, Path(description="The id of an item.")]
UserId = Annotated[schemas.Id, Path(description="The id of a user.")]


async def container(request: Request) -> Container:
    """The dependency-injection container that the application runs on."""
    found: Container = request.app.state.container
    return found


async def unit_of_work(request: Request) -> UnitOfWork:
    """A unit of work for this request."""
    made: UnitOfWork = request.app.state.container.unit_of_work()
    return made


async def password_hasher(request: Request) -> PasswordHasher:
    """The password hasher of the application."""
    hasher: PasswordHasher = request.app.state.container.hasher()
    return hasher


async def settings(request: Request) -> Settings:
    """The settings of the application."""
    found: Settings = request.app.state.container.settings()
    return found


ContainerDep = Annotated[Container, Depends(container)]
UnitOfWorkDep = Annotated[UnitOfWork, Depends(unit_of_work)]
PasswordHasherDep = Annotated[PasswordHasher, Depends(password_hasher)]
SettingsDep = Annotated[Settings, Depends(settings)]
