"""The router of ``/health/``: liveness and readiness."""

from fastapi import APIRouter, Request, Response

from entrypoints.api import schemas
from entrypoints.api.dependencies import ContainerDep
from entrypoints.api.http.openapi import problems
from entrypoints.api.http.responses import json_response
from entrypoints.api.routing import PooledRoute
from service_layer.errors import SchemaMismatch, StorageUnavailable

router = APIRouter(prefix="/health", tags=["health"], route_class=PooledRoute)


@router.get("/live", response_model=schemas.Health)
async def live() -> Response:
    """Whether the process is running."""
    return json_response({"status": "ok"})


@router.get("/ready", response_model=schemas.Health, responses=problems(StorageUnavailable, SchemaMismatch))
async def ready(container: ContainerDep, request: Request) -> Response:
    """Whether requests can be served. If not, the 503 says why. Responds within a second."""
    await request.app.state.thread_pools.checking.run(container.store().check)
    return json_response({"status": "ok"})
