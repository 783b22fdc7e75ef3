"""A route class that runs ``def`` endpoints in the bounded thread pool for their kind of work."""

from collections.abc import Callable, Coroutine, Mapping
from contextvars import ContextVar
from functools import partial, wraps
from inspect import isclass, iscoroutinefunction, isfunction, isgeneratorfunction, signature
from time import monotonic
from typing import Any, get_args, get_type_hints

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute

from service_layer.scans import ScanRequired

_request: ContextVar[Request] = ContextVar("request")


class PooledRoute(APIRoute):
    """A route of FastAPI that runs a ``def`` endpoint in one of the application's thread pools, with its deadline.

    The pool is ``reading`` for GET and HEAD and ``writing`` for other methods, unless a parameter chooses another: see
    ``pool_for``. FastAPI's ``APIRoute`` runs such endpoints in 40 threads, without a deadline.
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
    """Whether this is a plain ``def`` function: no coroutine function, generator, class or callable object."""
    return isfunction(function) and not iscoroutinefunction(function) and not isgeneratorfunction(function)


def in_pool(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """A coroutine function with the same signature that runs the endpoint in the pool for its kind of work."""
    choosers = pool_choosers(endpoint)

    @wraps(endpoint)
    async def run(**values: Any) -> Any:
        request = _request.get()
        return await run_in_pool(request, pool_for(request.method, choosers, values), endpoint, **values)

    return run


async def run_in_pool(request: Request, name: str, function: Callable[..., Any], /, **values: Any) -> Any:
    """Run the function in this pool of the application, or in FastAPI's threads if it has no pools.

    If it raises ``ScanRequired``, it runs again in the pool ``scanning``, with the same deadline.
    """
    pools = getattr(request.app.state, "thread_pools", None)
    if pools is None:
        return await run_in_threadpool(function, **values)
    start = monotonic()
    try:
        return await getattr(pools, name).run(function, **values)
    except ScanRequired:
        return await pools.scanning.run_since(start, partial(function, **values))


def pool_for(method: str, choosers: tuple[str, ...], values: Mapping[str, Any]) -> str:
    """The name of the pool for a call with these arguments.

    :param choosers: parameters whose values have an attribute ``pool``: the name of a pool, or None. The last one that
        names a pool decides.
    """
    chosen = [pool for name in choosers if (pool := values[name].pool)]
    default = "reading" if method in ("GET", "HEAD") else "writing"
    return str(chosen[-1]) if chosen else default


def pool_choosers(endpoint: Callable[..., Any]) -> tuple[str, ...]:
    """The parameters whose classes have an attribute ``pool``."""
    hints = get_type_hints(endpoint)
    return tuple(name for name in signature(endpoint).parameters if _has_pool(hints.get(name)))


def _has_pool(annotation: Any) -> bool:
    return any(isclass(each) and hasattr(each, "pool") for each in (annotation, *get_args(annotation)))
