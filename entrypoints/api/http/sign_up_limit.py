"""A limit on requests that hash a password, for each client address: sign-ups and password changes.

Answers tell what is left in ``RateLimit`` fields (draft-ietf-httpapi-ratelimit-headers).
"""

from asyncio import get_running_loop, run_coroutine_threadsafe
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from math import ceil
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_NAME = '"sign-ups"'
_OF_ONE_CLIENT = 64
"""Bits of an IPv6 address that a client does not choose by itself."""


async def _count(request: Request) -> None:
    """Count a valid request that hashes a password against the limit of its client address, whatever comes of it.

    Without a limit, or where nobody counts because Redis is away, all requests pass.

    :raises HTTPException: 429, none is left.
    """
    limiter = request.app.state.container.sign_up_limiter()
    quota = await limiter.take(_client(request.scope)) if limiter else None
    if limiter is None or quota is None:
        return
    seconds = ceil(quota.seconds)
    request.state.rate_limit_fields = {
        "RateLimit-Policy": f"{_NAME};q={limiter.limit};w={limiter.seconds}",
        "RateLimit": f"{_NAME};r={quota.left};t={seconds}",
    }
    if not quota.taken:
        later = {"Retry-After": str(max(1, seconds))}
        raise HTTPException(429, "Too many sign-ups or password changes from your address", later)


async def _hashing_limit(request: Request) -> Callable[[], None]:
    loop = get_running_loop()
    return lambda: run_coroutine_threadsafe(_count(request), loop).result()


HashingLimitDep = Annotated[Callable[[], None], Depends(_hashing_limit)]
"""To be called in the thread of an endpoint before it hashes a password: counts the request, as ``_count`` does."""


class RateLimitFieldsMiddleware:
    """Adds the ``RateLimit`` fields to every answer to a request that was counted, errors included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_fields(message: Message) -> None:
            fields = scope.get("state", {}).get("rate_limit_fields")
            if fields and message["type"] == "http.response.start":
                raw = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
                message = {**message, "headers": [*message["headers"], *raw]}
            await send(message)

        await self._app(scope, receive, send_with_fields)


def _client(scope: Scope) -> str:
    """Who counts as one client: an address, or the network that is given to one customer."""
    host = scope["client"][0] if scope.get("client") else ""
    try:
        address = ip_address(host)
    except ValueError:
        return "unknown"  # a proxy's word for it, or a Unix socket
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or IPv6Address(int(address) >> _OF_ONE_CLIENT << _OF_ONE_CLIENT))
    return str(address)
