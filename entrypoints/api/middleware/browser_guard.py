"""Protection against cross-site requests and DNS rebinding, by ``Host``, ``Origin`` and ``Sec-Fetch-Site``."""

import re
from collections.abc import Collection
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

from starlette._utils import get_route_path
from starlette.types import ASGIApp, Receive, Scope, Send

from entrypoints.api.http.problems import problem

WRONG_HOST = "This host name is not served here; the operator can add it to BELONGINGS_HOSTS"
CROSS_ORIGIN = "Sent for a page of another origin; the operator can allow it in BELONGINGS_CORS_ORIGINS"

_HEADERS = frozenset((b"host", b"origin", b"sec-fetch-site"))
"""Each is sent once; repeated, it is joined to a value that is not accepted."""

_SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS"))
_HOST = re.compile(r"(?:\[(?P<ipv6>[^]]*)]|(?P<name>[^:]*?)\.?)(?::[0-9]*)?")
_HOST_CACHE_SIZE = 64
"""How many host names have a cached result. A service has few; the bound keeps attackers from filling the memory."""


class BrowserGuardMiddleware:
    """Refuses unknown host names, and unsafe requests from pages of other origins.

    A page of ``evil.example`` can make its own name resolve to 127.0.0.1 (DNS rebinding). The browser then takes this
    service for the page's own server. ``Host`` still contains ``evil.example``, so only known names are served. An IP
    address in ``Host`` comes from the URL and cannot be rebound. ``/health/`` is served under any name: load balancers
    use any, and it reveals and changes nothing.

    Without rebinding, the browser keeps pages of other origins from reading responses, but still sends their requests.
    Unsafe methods are therefore refused unless ``Sec-Fetch-Site`` (or ``Origin``, for browsers without it) shows that
    the page has our origin. Other clients send neither header, and are served.

    :param hosts: host names to serve besides ``localhost``, in lower case; ``*`` for all.
    :param origins: origins whose pages may send unsafe requests; ``*`` for all.
    """

    def __init__(self, app: ASGIApp, *, hosts: Collection[str], origins: Collection[str]) -> None:
        self._app = app
        self._names = {"localhost", *(name.removesuffix(".") for name in hosts)}
        self._origins = {origin.encode() for origin in origins}
        self._serves_host = lru_cache(_HOST_CACHE_SIZE)(self._is_served)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await problem(*refusal)(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        found: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            if name in _HEADERS:
                found[name] = value if name not in found else b"%b, %b" % (found[name], value)
        host = found.get(b"host")
        if host and not self._serves_host(host) and not get_route_path(scope).startswith("/health/"):
            return 421, WRONG_HOST
        if scope["method"] not in _SAFE_METHODS:
            own = b"%b://%b" % (scope.get("scheme", "http").encode(), host) if host else None
            if self._is_cross_origin(own, found.get(b"origin"), found.get(b"sec-fetch-site")):
                return 403, CROSS_ORIGIN
        return None

    def _is_cross_origin(self, own: bytes | None, origin: bytes | None, site: bytes | None) -> bool:
        if b"*" in self._origins or origin in self._origins:
            return False
        if site is not None:
            return site not in (b"same-origin", b"none")  # none: typed by the user, or a bookmark
        return origin is not None and (own is None or origin.lower() != own.lower())

    def _is_served(self, host: bytes) -> bool:
        parts = _HOST.fullmatch(host.decode("latin-1").lower())
        if parts is None:
            return "*" in self._names
        name, ipv6 = parts["name"], parts["ipv6"]
        return not self._names.isdisjoint(("*", name)) or _is_ip_address(name, ipv6)


def _is_ip_address(ipv4: str | None, ipv6: str | None) -> bool:
    try:
        IPv4Address(ipv4) if ipv6 is None else IPv6Address(ipv6)
    except ValueError:
        return False
    return True
