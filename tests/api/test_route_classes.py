"""Each run of these tests uses the intended route class."""

from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import SecretStr

from entrypoints.api.app import create_app
from entrypoints.api.routing import PooledRoute
from entrypoints.container import build_container
from entrypoints.settings import Settings


def test_the_routes_of_the_application_have_the_expected_class(routes: str) -> None:
    expected = {"planned": PooledRoute, "plain": APIRoute}[routes]
    app = create_app(build_container(Settings(database_url=SecretStr("memory://"))))
    found = {
        type(each.original_route) for each in iter_route_contexts(app.routes) if each.path in ("/users/", "/items/")
    }
    assert found == {expected}
