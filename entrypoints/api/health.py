"""``/health/``"""

from fastapi import Request, Response

from entrypoints.api import schemas
from entrypoints.api.answers import answer
from entrypoints.api.dependencies import container, lanes
from entrypoints.api.documentation import router_for

router = router_for("health")


@router.get("/live", response_model=schemas.Health)
async def live() -> Response:
    """Whether the process answers at all."""
    return answer({"status": "ok"})


@router.get("/ready", response_model=schemas.Health)
async def ready(request: Request) -> Response:
    """Whether requests can be served; if not, the 503 says why. Answers within a second."""
    await lanes(request).checking.run(container(request).store().check)
    return answer({"status": "ok"})
