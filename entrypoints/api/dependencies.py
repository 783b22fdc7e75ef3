"""What endpoints ask for, and how they run use cases.

A use case gets a unit of work of its own, and a thread of the lane for its kind of work. The request
leads to both: each further parameter that FastAPI resolves costs as much as looking up a row.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Concatenate, ParamSpec, TypeVar

from fastapi import Path, Request

from entrypoints.api import schemas
from entrypoints.api.lanes import Lanes
from entrypoints.container import Container
from service_layer.ports import UnitOfWork

Id = Annotated[schemas.Id, Path(description="Which one.")]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
UseCase = Callable[Concatenate[UnitOfWork, Parameters], Result]


def reading(
    request: Request, use_case: UseCase[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> Awaitable[Result]:
    """Run a use case that only reads."""
    return lanes(request).reading.run(use_case, container(request).unit_of_work(), *args, **kwargs)


def scanning(
    request: Request, use_case: UseCase[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> Awaitable[Result]:
    """Run a use case that only reads, and for which the database may have to look at many rows."""
    return lanes(request).scanning.run(use_case, container(request).scanning_unit_of_work(), *args, **kwargs)


def writing(
    request: Request, use_case: UseCase[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> Awaitable[Result]:
    """Run a use case that changes something."""
    return lanes(request).writing.run(use_case, container(request).unit_of_work(), *args, **kwargs)


def hashing(
    request: Request, use_case: UseCase[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> Awaitable[Result]:
    """Run a use case that hashes a password, and may then change something."""
    return lanes(request).hashing.run(use_case, container(request).unit_of_work(), *args, **kwargs)


def container(request: Request) -> Container:
    """All that the application runs on."""
    found: Container = request.app.state.container
    return found


def lanes(request: Request) -> Lanes:
    """The threads that do what is not asynchronous; there while the application runs."""
    found: Lanes = request.app.state.lanes
    return found
