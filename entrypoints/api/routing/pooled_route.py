"""A route class whose plain functions run in the bounded thread pool for their kind of work."""

from collections.abc import Callable, Coroutine, Mapping
from contextvars import ContextVar
from functools import wraps
from inspect import isclass, isfunction, isgeneratorfunction, signature
from typing import Any, get_args, get_type_hints

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute
from starlette._utils import is_async_callable

_request: ContextVar[Request] = ContextVar("request")


class PooledRoute(APIRoute):
    """FastAPI's own route, but for where a ``def`` endpoint runs.

    It runs in the application's pool for reads if its method is safe, else in that for writes, under the request's
    deadline, instead of in FastAPI's 40 threads. A parameter can say otherwise: see ``pool_for``.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, in_pool(endpoint) if is_synchronous(endpoint) else endpoint, **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_with_request(request: Request) -> Response:
            _request.set(request)
            return await handle(request)

        return handle_with_request


def is_synchronous(function: Callable[..., Any]) -> bool:
    """Whether it is an ordinary ``def`` function: no coroutine, no generator, no instance or class."""
    return isfunction(function) and not is_async_callable(function) and not isgeneratorfunction(function)


def in_pool(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """A coroutine function with the same signature, which runs the endpoint in the pool for its kind of work."""
    choosing = parameters_that_choose(endpoint)

    @wraps(endpoint)
    async def run(**values: Any) -> Any:
        request = _request.get()
        return await run_in_pool(request, pool_for(request.method, choosing, values), endpoint, **values)

    return run


async def run_in_pool(request: Request, name: str, function: Callable[..., Any], /, **values: Any) -> Any:
    """What the function returns in this pool of the application; in FastAPI's threads where it has no pools."""
    pools = getattr(request.app.state, "thread_pools", None)
    if pools is None:
        return await run_in_threadpool(function, **values)
    return await getattr(pools, name).run(function, **values)


def pool_for(method: str, choosing: tuple[str, ...], values: Mapping[str, Any]) -> str:
    """The name of the pool for a call with these arguments.

    :param choosing: the parameters whose values have an attribute ``pool``, which names one, or is None.
    """
    for name in choosing:
        pool: str | None = values[name].pool
        if pool is not None:
            return pool
    return "reading" if method in ("GET", "HEAD") else "writing"


def parameters_that_choose(endpoint: Callable[..., Any]) -> tuple[str, ...]:
    """The parameters of classes that have an attribute ``pool``."""
    hints = get_type_hints(endpoint)
    return tuple(name for name in signature(endpoint).parameters if _chooses(hints.get(name)))


def _chooses(annotation: Any) -> bool:
    return any(isclass(each) and hasattr(each, "pool") for each in (annotation, *get_args(annotation)))
