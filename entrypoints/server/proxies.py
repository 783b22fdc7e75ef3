"""The addresses of clients behind a trusted proxy."""

from ipaddress import ip_address

from uvicorn import Config
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware, _TrustedHosts


class ProxyConfig(Config):
    """A configuration that takes only IP addresses from ``X-Forwarded-For``.

    Uvicorn takes any text, such as ``unknown``, and clients of a careless proxy choose it.
    """

    def load(self) -> None:
        super().load()
        if isinstance(self.loaded_app, ProxyHeadersMiddleware):
            self.loaded_app.trusted_hosts = _Proxies(self.forwarded_allow_ips)


class _Proxies(_TrustedHosts):
    def get_trusted_client_address(self, x_forwarded_for: str) -> tuple[str, int]:
        """The address and port of the client; without one, an empty address, so that uvicorn keeps the proxy's."""
        host, port = super().get_trusted_client_address(x_forwarded_for)
        return (host, port) if _is_address(host) else ("", 0)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return "%" not in host  # a scope, which can be any text
