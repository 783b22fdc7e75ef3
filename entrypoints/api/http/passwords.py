"""What endpoints need that hash a password, and a rate limit per client address for them."""

from asyncio import get_running_loop, run_coroutine_threadsafe
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from math import ceil
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from starlette.types import Scope

from service_layer.ports import PasswordHasher

_NAME = '"sign-ups"'
_IPV6_HOST_BITS = 64
"""The last bits of an IPv6 address, which a client can choose."""


async def _count(request: Request) -> None:
    """Count this request against the limit of its client address, even if it fails later.

    Without a limit, or while Redis is unavailable, nothing is counted.

    :raises HTTPException: 429, the limit is exceeded.
    """
    limiter = request.app.state.container.sign_up_limiter()
    quota = await limiter.hit(_client(request.scope)) if limiter else None
    if limiter is None or quota is None:
        return
    seconds = ceil(quota.reset_seconds)
    request.state.rate_limit_headers = {
        "RateLimit-Policy": f"{_NAME};q={limiter.limit};w={limiter.window_seconds}",
        "RateLimit": f"{_NAME};r={quota.remaining};t={seconds}",
    }
    if not quota.allowed:
        headers = {"Retry-After": str(max(1, seconds))}
        raise HTTPException(429, "Too many sign-ups or password changes from your address", headers)


@dataclass(frozen=True, slots=True)
class Passwords:
    """What an endpoint needs that hashes a password, in its thread.

    :param count: counts this request against the limit of its client address; to be called before hashing.
    """

    hasher: PasswordHasher
    min_length: int
    count: Callable[[], None]


async def passwords(request: Request) -> Passwords:
    """The hasher, the minimum length, and the rate limit of the application."""
    container, loop = request.app.state.container, get_running_loop()
    return Passwords(
        container.hasher(),
        container.settings().password_min_length,
        lambda: run_coroutine_threadsafe(_count(request), loop).result(),
    )


PasswordsDep = Annotated[Passwords, Depends(passwords)]


def _client(scope: Scope) -> str:
    """The key that one client is counted under: its IPv4 address, or its IPv6 network (/64)."""
    host = scope["client"][0] if scope.get("client") else ""
    try:
        address = ip_address(host)
    except ValueError:
        return "unknown"  # a Unix socket, or, without `belongings serve`, what a proxy's header says
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or IPv6Address(int(address) >> _IPV6_HOST_BITS << _IPV6_HOST_BITS))
    return str(address)
