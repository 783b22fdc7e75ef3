"""The fast path: routes whose functions run in bounded thread pools, planned once and found by a table.

Everything that makes the routers fast is in this package, and nothing else knows how. Without it (with FastAPI's own
``APIRoute`` as the route class, and no ``RouteTable``) the application answers the same, at about half the speed and
with FastAPI's threads in place of the pools.
"""

from entrypoints.api.routing.pooled_route import PooledRoute
from entrypoints.api.routing.route_table import RouteTable

__all__ = ["PooledRoute", "RouteTable"]
