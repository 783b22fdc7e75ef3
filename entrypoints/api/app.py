"""The HTTP API: ``uvicorn --factory entrypoints.api.app:create_app``"""

from functools import partial
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI

from entrypoints.api.documentation_pages import documented_app
from entrypoints.api.http.byte_budget import ByteBudget
from entrypoints.api.http.no_route import NoRoute
from entrypoints.api.http.openapi import ABOUT, operation_id
from entrypoints.api.http.openapi_document import customize_openapi
from entrypoints.api.http.problems import add_problem_handlers
from entrypoints.api.http.unsent import ALL_UNSENT_MAX, SMALL_UNSENT_MAX, SMALL_UNSENT_RESERVE
from entrypoints.api.lifespan import lifespan
from entrypoints.api.metrics import Metrics
from entrypoints.api.middleware.browser_guard import BrowserGuardMiddleware
from entrypoints.api.middleware.cors import CorsMiddleware
from entrypoints.api.middleware.head import HeadMiddleware
from entrypoints.api.middleware.rate_limit_headers import RateLimitHeadersMiddleware
from entrypoints.api.middleware.request_context import RequestContextMiddleware, internal_server_error
from entrypoints.api.middleware.request_limits import RequestLimitsMiddleware
from entrypoints.api.middleware.response_limits import ResponseLimitsMiddleware
from entrypoints.api.process import tune_process
from entrypoints.api.routers import health, items, users
from entrypoints.api.routing import install_route_table
from entrypoints.api.tracing import telemetry
from entrypoints.container import Container, build_container
from entrypoints.logging import configure
from entrypoints.settings import WrongSetting, access_log, load_settings


def create_app(container: Container | None = None) -> FastAPI:
    """Create the application. Its container is in ``app.state.container``.

    :param container: by default, one is built from the settings.
    :raises SystemExit: a setting is not valid.
    """
    if container is None:
        try:
            container = build_container(load_settings())
        except WrongSetting as error:
            raise SystemExit(f"belongings: {error}") from None
        tune_process()  # it runs nothing but this application
        configure(container.settings().log_format)
    settings = container.settings()
    options: dict[str, Any] = {
        **ABOUT,
        "version": version("belongings"),
        "servers": [{"url": settings.root_path or "/"}],
    }
    options["generate_unique_id_function"] = operation_id
    options["telemetry"] = telemetry(settings)
    make = documented_app if settings.docs else partial(FastAPI, openapi_url=None)
    app = make(**options, lifespan=lifespan, redirect_slashes=False)
    app.router.default = NoRoute(app.routes, not_found=app.router.default)
    app.state.container = container
    app.state.unsent = ByteBudget(ALL_UNSENT_MAX, small=SMALL_UNSENT_MAX, reserve=SMALL_UNSENT_RESERVE)
    observers = [access_log(settings)]
    app.state.metrics = Metrics() if settings.metrics else None
    if app.state.metrics:
        app.add_route("/metrics", app.state.metrics.respond, include_in_schema=False)
        observers.append(app.state.metrics.count)
    if container.sign_up_limiter():
        app.add_middleware(RateLimitHeadersMiddleware)
    app.add_middleware(RequestLimitsMiddleware, requests=settings.requests, body_wait=settings.body_wait)
    app.add_middleware(HeadMiddleware)
    origins = settings.cors_origins or ()
    app.add_middleware(BrowserGuardMiddleware, hosts=settings.hosts or (), origins=origins)
    if origins:
        app.add_middleware(CorsMiddleware, origins)
    app.add_middleware(ResponseLimitsMiddleware, app.state.unsent)
    app.add_middleware(RequestContextMiddleware, *filter(None, observers))  # added last, so it is outermost
    add_problem_handlers(app)
    app.add_exception_handler(Exception, partial(internal_server_error, origins=origins))
    for router in (health.router, items.router, users.router):
        app.include_router(router)
    install_route_table(app)
    customize_openapi(app, password_min_length=settings.password_min_length)
    return app
