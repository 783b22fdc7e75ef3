"""The HTTP API: ``uvicorn --factory entrypoints.api.app:create_app``"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from anyio.to_thread import run_sync
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi_offline import FastAPIOffline

from domain.errors import SchemaMismatch, SchemaNewer, StorageUnavailable
from entrypoints.api import health, items, users
from entrypoints.api.body_limit import BodyLimit
from entrypoints.api.documentation import document, problems
from entrypoints.api.head import HeadAsGet
from entrypoints.api.lanes import Lanes
from entrypoints.api.problems import add_problem_handlers
from entrypoints.container import Container, build_container
from entrypoints.settings import WrongSetting, load_settings, processors

logger = logging.getLogger("belongings")

_DESCRIPTION = """Keeps users and the items they own.

Every list is bounded: follow `Link` for the next page. Every error is a problem (RFC 9457).
"""


def create_app(container: Container | None = None) -> FastAPI:
    """The application, with everything it needs in ``app.state.container``.

    :param container: what it runs on; without one, what the settings say.
    :raises SystemExit: a setting cannot be used.
    """
    if container is None:
        try:
            container = build_container(load_settings())
        except WrongSetting as error:
            raise SystemExit(f"belongings: {error}") from None
    app = FastAPIOffline(
        title="Belongings",
        description=_DESCRIPTION,
        version=version("belongings"),
        lifespan=_lifespan,
        responses=problems(500, 503),
        generate_unique_id_function=_operation_id,
    )
    app.state.container = container
    app.add_middleware(BodyLimit)
    app.add_middleware(HeadAsGet)
    add_problem_handlers(app)
    app.include_router(users.router)
    app.include_router(items.router)
    app.include_router(health.router)
    document(app, password_min_length=container.settings().password_min_length)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    container: Container = app.state.container
    store = container.store()
    settings = container.settings()
    app.state.lanes = Lanes(
        threads=settings.threads, one_writer=store.one_writer, processors=processors(), wait=settings.pool_wait
    )
    try:
        await run_sync(store.prepare)
    except SchemaNewer:
        raise
    except (SchemaMismatch, StorageUnavailable) as error:
        if store.embedded:
            raise
        # somebody else may mend it while we run; until then /health/ready tells
        logger.warning("not ready: %s", getattr(error, "reason", error))
    yield
    await run_sync(store.close)


def _operation_id(route: APIRoute) -> str:
    return route.name
