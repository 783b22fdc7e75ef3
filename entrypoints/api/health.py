"""``/health/``"""

from fastapi import APIRouter, Response

from entrypoints.api import schemas
from entrypoints.api.answers import answer
from entrypoints.api.dependencies import TheLanes, TheStore

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live", response_model=schemas.Health)
async def live() -> Response:
    """Whether the process answers at all."""
    return answer({"status": "ok"})


@router.get("/ready", response_model=schemas.Health)
async def ready(store: TheStore, lanes: TheLanes) -> Response:
    """Whether requests can be served; if not, the 503 says why."""
    await lanes.reading.run(store.check)
    return answer({"status": "ok"})
