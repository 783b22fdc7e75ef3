"""The fast path: endpoints run in bounded thread pools, routes are planned once and looked up in a table.

Everything that makes the routers fast is in this package. Without it (FastAPI's ``APIRoute`` as the route class, and no
``install_route_table``), the application responds the same at about half the speed, in FastAPI's threads instead of the
pools.
"""

from entrypoints.api.routing.pooled_route import PooledRoute
from entrypoints.api.routing.route_table import install_route_table

__all__ = ["PooledRoute", "install_route_table"]
