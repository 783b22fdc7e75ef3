"""So many sign-ups for each client address, told by ``RateLimit`` fields (draft-ietf-httpapi-ratelimit-headers)."""

from ipaddress import IPv6Address, ip_address
from math import ceil

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from entrypoints.api.intake import path_within
from entrypoints.api.problems import problem
from service_layer.ports import RateLimiter

_NAME = '"sign-ups"'
_OF_ONE_CLIENT = 64
"""Bits of an IPv6 address that a client does not choose by itself."""


class SignUpLimit:
    """Refuses one sign-up too many with 429, whatever comes of the others; where nobody counts, all are let in."""

    def __init__(self, app: ASGIApp, limiter: RateLimiter) -> None:
        self._app = app
        self._limiter = limiter
        self._policy = f"{_NAME};q={limiter.limit};w={limiter.seconds}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_sign_up = scope["type"] == "http" and scope["method"] == "POST" and path_within(scope) == "/users/"
        quota = await self._limiter.take(_client(scope)) if is_sign_up else None
        if quota is None:
            await self._app(scope, receive, send)
            return
        seconds = ceil(quota.seconds)
        fields = {"RateLimit-Policy": self._policy, "RateLimit": f"{_NAME};r={quota.left};t={seconds}"}
        if not quota.taken:
            later = {"Retry-After": str(max(1, seconds))}
            await problem(429, "Too many sign-ups from your address", headers=fields | later)(scope, receive, send)
            return
        raw = [(name.lower().encode(), value.encode()) for name, value in fields.items()]

        async def send_with_fields(message: Message) -> None:
            if message["type"] == "http.response.start":
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
