"""The parts of other packages that this project uses although they are not documented.

A minor release may change any of them. Each has a test here, which says what has changed and where it is used. Each has
a row in ``docs/private-interfaces.md`` too, which says why it is used and what to do.
"""

import ast
import inspect
import re
import signal
import socket
import sqlite3
import tomllib
from asyncio import Transport, run
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial, wraps
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, Union

import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, Request, Response
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from sqlalchemy import create_engine
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.pool import PoolProxiedConnection
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from adapters.sql.engine.pool import FairQueuePool
from entrypoints.api.routing import PooledRoute
from entrypoints.api.routing.plans import plan
from tests.certificates import make_certificate

TOP = Path(__file__).parents[2]
PAGE = (TOP / "docs/private-interfaces.md").read_text()

INTERFACES: dict[str, str] = {}
"""The names of all interfaces that are tested here, with the file that uses each."""

Test = Callable[..., None]


def private(name: str, file: str) -> Callable[[Test], Test]:
    """Mark the test of an interface.

    :param name: the package and the interface, as on the page.
    :param file: which uses it.
    """
    INTERFACES[name] = file

    def mark(test: Test) -> Test:
        @wraps(test)
        def run_test(*args: Any, **named: Any) -> None:
            try:
                test(*args, **named)
            except Exception as error:  # noqa: BLE001  # whatever it is, it says what has changed
                pytest.fail(
                    f"{name} has changed: {type(error).__name__}: {error}\n"
                    f"It is used in {file}; docs/private-interfaces.md says why, and what to do."
                )

        return run_test

    return mark


def parameters(function: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(function).parameters)


# FastAPI


async def _dependency() -> None:
    pass


def _endpoint(id: int, tag: Annotated[str | None, Header()] = None) -> Response:
    return Response(f"{id} {tag}")


def application() -> FastAPI:
    """One with a route in an included router, and a dependency on each level."""
    router = APIRouter(prefix="/things", dependencies=[Depends(_dependency)])
    router.add_api_route("/{id}", _endpoint, methods=["GET"], route_class_override=PooledRoute)
    app = FastAPI(dependencies=[Depends(_dependency)])
    app.include_router(router, dependencies=[Depends(_dependency)])
    return app


def context_of_route() -> Any:
    from fastapi.routing import iter_route_contexts

    (context,) = [each for each in iter_route_contexts(application().routes) if each.path == "/things/{id}"]
    return context


@private("fastapi: `routing.iter_route_contexts`, `RouteContext`", "entrypoints/api/routing/route_table.py")
def test_fastapi_yields_each_route_with_the_dependencies_of_all_levels() -> None:
    context = context_of_route()
    assert isinstance(context.original_route, PooledRoute)
    assert [each.call for each in context.dependant.dependencies] == [_dependency] * 3
    assert (context.methods, context.endpoint) == ({"GET"}, context.original_route.endpoint)
    assert context.path_regex.match("/things/1").groupdict() == {"id": "1"}
    assert context.param_convertors["id"].convert("1") == "1"
    assert context.max_body_size is None
    assert getattr(context.strict_content_type, "value", context.strict_content_type) is True


@private("fastapi: `RouteContext._embed_body_fields`", "entrypoints/api/routing/plans.py")
def test_fastapi_says_whether_bodies_are_embedded() -> None:
    assert context_of_route()._embed_body_fields is False


@private("fastapi: `dependencies.models.Dependant`", "entrypoints/api/routing/plans.py")
def test_fastapi_describes_an_endpoint_only_by_what_plans_know() -> None:
    assert plan(context_of_route()) is not None, "plan() refuses it, so that all requests are served at half the speed"


@private("fastapi: `_compat.ModelField`", "entrypoints/api/routing/plans.py")
def test_fastapi_validates_a_field_and_returns_its_errors() -> None:
    (field,) = context_of_route().dependant.path_params
    assert (field.name, field.alias) == ("id", "id")
    assert field.validate("7", loc=("path", "id")) == (7, [])
    _, (error,) = field.validate("x", loc=("path", "id"))
    assert (error["type"], error["loc"]) == ("int_parsing", ("path", "id"))
    (header,) = context_of_route().dependant.header_params
    assert (header.alias, header.default, header.field_info.is_required()) == ("tag", None, False)


@private("fastapi: `dependencies.utils.request_params_to_args`", "entrypoints/api/routing/plans.py")
def test_fastapi_turns_headers_into_arguments() -> None:
    from fastapi.dependencies.utils import request_params_to_args

    headers = context_of_route().dependant.header_params
    assert request_params_to_args(headers, Headers({"Tag": "a"})) == ({"tag": "a"}, [])


@private("fastapi: `_compat.field_annotation_is_sequence`", "entrypoints/api/routing/plans.py")
def test_fastapi_knows_which_annotations_are_sequences() -> None:
    from fastapi._compat import field_annotation_is_sequence

    annotations = [list[int], Union[None, set[str]], str, bytes, int | None]  # noqa: UP007  # FastAPI meets both
    assert [field_annotation_is_sequence(each) for each in annotations] == [True, True, False, False, False]


@private("fastapi: `original_router` of an included router", "entrypoints/api/routing/route_table.py")
def test_fastapi_keeps_included_routers() -> None:
    included = [each for each in application().router.routes if hasattr(each, "original_router")]
    assert [type(each.original_router) for each in included] == [APIRouter]


@private("fastapi: `get_route_handler` sees the request first", "entrypoints/api/routing/pooled_route.py")
def test_fastapi_calls_the_handler_of_a_route_class() -> None:
    seen = []

    class Route(APIRoute):
        def get_route_handler(self) -> Callable[..., Any]:
            handle = super().get_route_handler()

            async def handle_and_note(request: Request) -> Response:
                seen.append(request.url.path)
                return await handle(request)

            return handle_and_note

    app = FastAPI()
    app.add_api_route("/a", lambda: None)
    app.router.add_api_route("/b", lambda: None, route_class_override=Route)
    assert TestClient(app).get("/b").status_code == 200
    assert seen == ["/b"]


@private('fastapi: `scope["fastapi.telemetry"]`', "entrypoints/api/routing/route_table.py")
def test_fastapi_marks_requests_that_it_traces() -> None:
    from opentelemetry.sdk.trace import TracerProvider

    marks: list[Scope] = []
    telemetry: Any = {"metrics": False, "logs": False, "tracer_provider": TracerProvider()}
    app = FastAPI(telemetry=telemetry)
    app.router.middleware_stack = note_scopes(marks, app.router.middleware_stack)
    TestClient(app).get("/")
    assert marks[0].get("fastapi.telemetry")


# Starlette


def note_scopes(scopes: list[Scope], app: Any) -> Any:
    async def note(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(dict(scope))
        await app(scope, receive, send)

    return note


@private("starlette: `Router.middleware_stack`, `Router.default`", "entrypoints/api/routing/route_table.py")
def test_starlette_passes_every_request_through_the_stack_of_the_router() -> None:
    scopes: list[Scope] = []
    app = FastAPI()
    app.router.middleware_stack = note_scopes(scopes, app.router.middleware_stack)
    not_found: Any = Response("nothing", 404)
    app.router.default = not_found
    assert TestClient(app).get("/no/such").text == "nothing"
    assert [scope["path"] for scope in scopes if scope["type"] == "http"] == ["/no/such"]


@private("starlette: `_utils.get_route_path`", "entrypoints/api/routing/route_table.py")
def test_starlette_takes_the_root_path_off_a_path() -> None:
    from starlette._utils import get_route_path

    paths = ["/app/users", "/app", "/apple", "/users"]
    found = [get_route_path({"path": path, "root_path": "/app"}) for path in paths]
    assert found == ["/users", "", "/apple", "/users"]


@private("starlette: `CORSMiddleware.preflight_response`", "entrypoints/api/middleware/cors.py")
def test_starlette_answers_preflights_with_a_method_of_its_own() -> None:
    from starlette.middleware.cors import CORSMiddleware

    middleware = CORSMiddleware(FastAPI(), ["https://a.example"])
    headers = Headers({"Origin": "https://b.example", "Access-Control-Request-Method": "GET"})
    response = middleware.preflight_response(headers)
    assert (response.status_code, bytes(response.body)) == (400, b"Disallowed CORS origin")


# uvicorn and httptools


class Written(Transport):
    """Keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.data = b""
        self.closed = False

    def write(self, data: Any) -> None:
        self.data += data

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


async def _never(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()


def protocol(kind: "type[Any] | None" = None) -> Any:
    """A connection of uvicorn's; call this in an event loop."""
    from uvicorn import Config
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
    from uvicorn.server import ServerState

    config = Config(_never, log_config=None, ws="none")
    config.load()
    made = (kind or HttpToolsProtocol)(config=config, server_state=ServerState(), app_state={})
    made.connection_made(Written())
    return made


REQUEST = b"POST /a?b HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n"


@private("uvicorn: `HttpToolsProtocol`", "entrypoints/server/connections.py")
def test_uvicorn_keeps_the_state_of_a_connection_where_it_was() -> None:
    async def act() -> None:
        connection = protocol()
        assert connection in connection.connections
        assert (connection.cycle, connection.pipeline) == (None, deque())
        assert (connection.scheme, connection.server_state.default_headers) == ("http", [])
        connection.data_received(REQUEST)
        assert (connection.url, connection.headers[0]) == (b"/a?b", (b"host", b"x"))
        first = connection.cycle
        assert (first.more_body, first.response_started, first.response_complete) == (True, False, False)
        connection.data_received(b"x" + REQUEST + b"x")
        assert (first.more_body, len(connection.pipeline)) == (False, 1)
        assert connection.pipeline[0][0] is connection.cycle
        assert first.keep_alive
        assert (first.disconnected, first.message_event.is_set()) == (False, True)
        assert not connection.flow.write_paused
        connection.shutdown()
        assert not connection.cycle.keep_alive
        connection.connection_lost(None)
        assert connection not in connection.connections

    run(act())


@private("uvicorn: the callbacks of `HttpToolsProtocol`", "entrypoints/server/connections.py")
def test_uvicorn_calls_what_connections_override() -> None:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

    called: list[str] = []
    names = ["on_header", "on_headers_complete", "on_body", "on_message_complete", "send_400_response"]
    names += ["_unsupported_upgrade_warning", "pause_writing", "resume_writing", "shutdown", "on_response_complete"]
    names += ["timeout_keep_alive_handler"]

    def noting(name: str) -> Callable[..., Any]:
        def call(self: Any, *args: Any) -> Any:
            called.append(name)
            return getattr(HttpToolsProtocol, name)(self, *args)

        return call

    kind = type("Noting", (HttpToolsProtocol,), {name: noting(name) for name in names})

    async def act() -> None:
        protocol(kind).data_received(REQUEST + b"x")
        assert called == ["on_header", "on_header", "on_headers_complete", "on_body", "on_message_complete"]
        broken = protocol(kind)
        broken.data_received(b"no HTTP\r\n\r\n")
        assert called[-1] == "send_400_response"
        assert broken.transport.closed
        protocol(kind).data_received(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
        assert called[-1] == "_unsupported_upgrade_warning"
        assert set(names) <= set(dir(HttpToolsProtocol))

    run(act())


@private("uvicorn: `Config.http` as a function", "entrypoints/server/serving.py")
def test_uvicorn_makes_connections_by_any_function() -> None:
    from uvicorn import Config

    make: Any = partial(int)
    config = Config(_never, http=make, log_config=None)
    config.load()
    assert config.http_protocol_class is make


@private("uvicorn: `Config.ssl`", "entrypoints/server/tls.py")
def test_uvicorn_keeps_its_tls_context_in_the_configuration(tmp_path: Path) -> None:
    import ssl

    from uvicorn import Config

    certificate, key = make_certificate(tmp_path)
    config = Config(_never, ssl_certfile=certificate, ssl_keyfile=key, log_config=None)
    config.load()
    assert isinstance(config.ssl, ssl.SSLContext)


@private("uvicorn: `ProxyHeadersMiddleware.trusted_hosts`, `_TrustedHosts`", "entrypoints/server/proxies.py")
def test_uvicorn_keeps_the_address_of_a_proxy_if_the_trusted_hosts_find_no_other() -> None:
    from uvicorn import Config
    from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware, _TrustedHosts

    class Hosts(_TrustedHosts):
        found = "", 0

        def get_trusted_client_address(self, x_forwarded_for: str) -> tuple[str, int]:
            return self.found

    config = Config(_never, log_config=None, proxy_headers=True, forwarded_allow_ips=["10.0.0.0/8"])
    config.load()
    assert isinstance(config.loaded_app, ProxyHeadersMiddleware)
    assert "10.1.2.3" in config.loaded_app.trusted_hosts
    clients: list[Any] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        clients.append(scope["client"])

    middleware: Any = ProxyHeadersMiddleware(app)
    middleware.trusted_hosts = Hosts(["10.0.0.0/8"])
    for Hosts.found in (("", 0), ("1.2.3.4", 5)):
        headers = [(b"x-forwarded-for", b"a")]
        run(middleware({"type": "http", "client": ("10.1.2.3", 80), "headers": headers}, None, None))
    assert clients == [("10.1.2.3", 80), ("1.2.3.4", 5)]


@private("uvicorn: `supervisors.Multiprocess`", "entrypoints/server/workers.py")
def test_uvicorn_replaces_and_ends_its_workers_by_methods_of_the_supervisor(monkeypatch: pytest.MonkeyPatch) -> None:
    from uvicorn import Config
    from uvicorn.supervisors import Multiprocess

    called = []

    class Supervisor(Multiprocess):
        def restart_all(self) -> None:
            called.append("restart_all")

        def terminate_all(self) -> None:
            called.append("terminate_all")

        def join_all(self) -> None:
            called.append("join_all")

    monkeypatch.setattr(signal, "signal", lambda *_: None)
    supervisor = Supervisor(Config(_never, workers=1, log_config=None, log_level="critical"), [])
    supervisor.processes_num = 0
    supervisor.signal_queue += [signal.SIGHUP, signal.SIGTERM]
    supervisor.run()
    assert called == ["restart_all", "terminate_all", "join_all"]
    assert supervisor.processes == []


@private("uvicorn: `config.STARTUP_FAILURE`", "entrypoints/server/workers.py")
def test_uvicorn_has_a_status_for_workers_that_cannot_start() -> None:
    from uvicorn import config

    assert config.STARTUP_FAILURE == 3


@private("httptools: a parser is reset by calling `__init__` again", "entrypoints/server/parser.py")
def test_httptools_stops_after_the_head_of_an_upgrade_and_can_start_again() -> None:
    import httptools

    class Protocol:
        heads = 0

        def on_headers_complete(self) -> None:
            self.heads += 1

    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n\r\n"
    protocol = Protocol()
    parser = httptools.HttpRequestParser(protocol)
    with pytest.raises(httptools.HttpParserUpgrade) as upgrade:
        parser.feed_data(head + b"x")
    assert upgrade.value.args[0] == len(head)
    assert parser.should_upgrade()
    parser.__init__(protocol)  # type: ignore[misc]  # this is what is tested
    parser.feed_data(REQUEST + b"x")
    assert protocol.heads == 2
    assert not parser.should_upgrade()


# psycopg


@pytest.fixture
def silent() -> Iterator[int]:
    """The descriptor of a socket on which nothing comes."""
    one, other = socket.socketpair()
    with one, other:
        yield one.fileno()


@private("psycopg: `Connection._connect_gen`", "adapters/sql/engine/psycopg_deadlines.py")
def test_psycopg_connects_by_a_generator_that_is_resumed_ten_times_a_second(silent: int) -> None:
    from psycopg import Connection, OperationalError
    from psycopg.waiting import Wait

    resumed = []

    class Impatient(Connection[Any]):
        @classmethod
        def _connect_gen(cls, conninfo: str = "") -> Any:
            for _ in range(2):
                resumed.append((yield silent, Wait.R))
            raise OperationalError("no time is left")

    with pytest.raises(OperationalError, match="no time is left"):
        Impatient.connect("host=127.0.0.1")
    assert len(resumed) == 2


@private("psycopg: `Connection.wait`, `errors._WaitTimeout`", "adapters/sql/engine/psycopg_deadlines.py")
def test_psycopg_waits_for_the_server_in_one_method_which_takes_a_timeout(silent: int) -> None:
    from psycopg import Connection, OperationalError, errors
    from psycopg.waiting import Wait

    def wait_for_ever() -> Any:
        while True:
            yield Wait.R

    connection: Any = SimpleNamespace(pgconn=SimpleNamespace(socket=silent))
    with pytest.raises(errors._WaitTimeout) as error:
        Connection.wait(connection, wait_for_ever(), 0.1, 0.01)
    assert isinstance(error.value, OperationalError)
    assert parameters(Connection.wait) == ["self", "gen", "interval", "timeout"]


CURSOR = "`Cursor._convert_query`, `_get_prepared`, `_execute_send`, `_send_query_prepared`, `_stream_send_gen`, "
CURSOR += "`_stream_fetchone_gen`, `_make_row`, `_tx`, `_preparing.Prepare`, `_queries.PostgresQuery`"


@private(f"psycopg: {CURSOR}", "adapters/sql/engine/psycopg_deadlines.py")
def test_psycopg_streams_results_and_prepares_statements_by_methods_of_its_cursor() -> None:
    from psycopg import Connection, Cursor
    from psycopg._preparing import Prepare
    from psycopg._queries import PostgresQuery
    from psycopg.adapt import Transformer
    from psycopg.pq import PGconn

    cursor: Any = Cursor(Connection[Any](PGconn.connect(b"host=127.0.0.1 port=1")))
    cursor._tx = Transformer()
    query = cursor._convert_query("SELECT %(a)s", {"a": None})
    assert (type(query), query.query) == (PostgresQuery, b"SELECT $1")
    assert cursor._get_prepared(query)[0] is Prepare.NO
    assert cursor._get_prepared(query, True)[0] is Prepare.SHOULD
    assert parameters(Cursor._execute_send) == ["self", "query", "force_extended", "binary"]
    assert parameters(Cursor._send_query_prepared)[:3] == ["self", "name", "pgq"]
    assert parameters(Cursor._stream_send_gen) == ["self", "query", "params", "binary", "size"]
    assert "self._execute_send(" in inspect.getsource(Cursor._stream_send_gen)
    assert parameters(Cursor._stream_fetchone_gen) == ["self", "first"]
    assert "self._make_row =" in inspect.getsource(Cursor._stream_fetchone_gen)


@private("psycopg: `generators.execute`", "adapters/sql/engine/psycopg_deadlines.py")
def test_psycopg_has_a_generator_that_fetches_results() -> None:
    from psycopg import OperationalError
    from psycopg.generators import execute
    from psycopg.pq import PGconn

    refused = PGconn.connect(b"host=127.0.0.1 port=1")
    with pytest.raises(OperationalError):
        next(execute(refused))


# PyMySQL


@private("pymysql: `Connection._execute_command`", "adapters/sql/engine/pymysql_deadlines.py")
def test_pymysql_sends_every_statement_by_one_method() -> None:
    from pymysql.connections import Connection

    sent = []

    class Sending(Connection):
        def _execute_command(self, command: int, sql: str | bytes) -> None:
            sent.append(sql)
            raise ConnectionError

    connection = Sending(defer_connect=True)
    for act in (lambda: connection.query("SELECT 1"), connection.begin, connection.commit, connection.rollback):
        with pytest.raises(ConnectionError):
            act()
    assert sent == [b"SELECT 1", "BEGIN", "COMMIT", "ROLLBACK"]


@private("pymysql: `Connection._read_timeout`, `_write_timeout`", "adapters/sql/engine/pymysql_deadlines.py")
def test_pymysql_waits_for_an_answer_as_long_as_two_attributes_say() -> None:
    from pymysql.connections import Connection
    from pymysql.err import OperationalError

    with socket.create_server(("127.0.0.1", 0)) as listener:  # which never answers
        connection: Any = Connection(port=listener.getsockname()[1], host="127.0.0.1", defer_connect=True)
        assert (connection._read_timeout, connection._write_timeout) == (None, None)
        connection._read_timeout = connection._write_timeout = 0.01
        with pytest.raises(OperationalError, match="timed out"):
            connection.connect()


@private("pymysql: `Connection._create_ssl_ctx`", "adapters/sql/engine/pymysql_deadlines.py")
def test_pymysql_makes_the_tls_context_of_a_connection_by_a_method_that_needs_no_connection() -> None:
    from pymysql.connections import Connection

    made = []

    class Secure(Connection):
        def _create_ssl_ctx(self, options: dict[str, Any]) -> object:
            context: Any = Connection._create_ssl_ctx(None, options)  # type: ignore[attr-defined]  # it is not in the types
            made.append(context)
            return context

    connection: Any = Secure(defer_connect=True)
    assert [connection.ctx] == made


@private("pymysql: `Connection._force_close`, `_result`", "adapters/sql/engine/pymysql_deadlines.py")
def test_pymysql_closes_a_broken_connection_by_one_method_and_reads_the_rest_of_a_result_when_it_is_freed() -> None:
    from pymysql.connections import Connection, MySQLResult

    connection: Any = Connection(defer_connect=True)
    assert connection._result is None
    connection._force_close()
    result: Any = MySQLResult(connection)
    assert result.unbuffered_active is False
    read: list[None] = []
    result._finish_unbuffered_query = lambda: read.append(None)
    result.__del__()
    assert read == []
    result.unbuffered_active = True
    result.__del__()
    assert read == [None]
    result.unbuffered_active = False


# SQLAlchemy


@private("sqlalchemy: `QueuePool._queue_class`, `_pool`, `util.queue`", "adapters/sql/engine/pool.py")
def test_sqlalchemy_keeps_connections_in_the_queue_that_a_pool_names() -> None:
    from sqlalchemy.util.queue import Empty, QueueCommon

    assert issubclass(Empty, Exception)
    engine = create_engine("sqlite://", poolclass=FairQueuePool, pool_size=1, max_overflow=0, pool_timeout=0)
    pool: Any = engine.pool
    assert isinstance(pool._pool, QueueCommon)
    with engine.connect():
        assert (pool.checkedout(), pool._pool.qsize()) == (1, 0)
    assert (pool.checkedout(), pool._pool.qsize()) == (0, 1)
    engine.dispose()


@private("sqlalchemy: `Pool._invalidate`", "adapters/sql/engine/driver.py")
def test_sqlalchemy_invalidates_all_connections_that_are_as_old_as_one(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'a.db'}", pool_size=2)
    pool: Any = engine.pool
    lost, idle = pool.connect(), pool.connect()
    former = {id(lost.dbapi_connection), id(idle.dbapi_connection)}
    idle.close()
    pool._invalidate(lost, OSError("the server is gone"))
    lost.close()
    fresh: list[PoolProxiedConnection] = [pool.connect(), pool.connect()]
    assert not any(hasattr(each.dbapi_connection, "invalid") or id(each) in former for each in fresh)
    assert pool._invalidate_time > 0
    for each in fresh:
        each.close()
    engine.dispose()


@private("sqlalchemy: `Dialect.is_disconnect`", "adapters/sql/engine/driver.py")
def test_sqlalchemy_tells_lost_connections_from_other_errors() -> None:
    import psycopg
    import pymysql

    postgres: Any = postgresql.psycopg.dialect(dbapi=psycopg)  # type: ignore[no-untyped-call]  # it has no types
    error = psycopg.OperationalError("x")
    assert postgres.is_disconnect(error, SimpleNamespace(closed=True, broken=False), None)
    assert not postgres.is_disconnect(error, SimpleNamespace(closed=False, broken=False), None)
    mariadb: Any = mysql.pymysql.dialect(dbapi=pymysql)
    assert mariadb.is_disconnect(pymysql.err.OperationalError(2013, "lost"), None, None)
    assert not mariadb.is_disconnect(pymysql.err.OperationalError(1205, "lock"), None, None)


@private("sqlalchemy: `DBAPIError.instance`", "adapters/sql/engine/driver.py")
def test_sqlalchemy_wraps_an_error_of_the_driver() -> None:
    from sqlalchemy.exc import DBAPIError, OperationalError

    cause = sqlite3.OperationalError("disk I/O error")
    dialect = create_engine("sqlite://").dialect
    options: dict[str, Any] = {"hide_parameters": True, "connection_invalidated": True, "dialect": dialect}
    error: Any = DBAPIError.instance(None, None, cause, sqlite3.Error, **options)
    assert (type(error), error.orig, error.connection_invalidated) == (OperationalError, cause, True)


# Prometheus's client


@private("prometheus-client: the files `gauge_livesum_<pid>.db`", "entrypoints/api/metrics.py")
def test_prometheus_keeps_the_gauges_of_a_worker_in_a_file_named_for_it(tmp_path: Path) -> None:
    from prometheus_client import multiprocess

    (file := tmp_path / "gauge_livesum_123.db").touch()
    multiprocess.mark_process_dead(123, str(tmp_path))  # type: ignore[no-untyped-call]  # it has no types
    assert not file.exists()


# The page


def test_the_page_lists_every_interface_with_the_file_that_uses_it() -> None:
    rows = re.findall(r"^\| (\S+: .+?) \| \[`(\S+)`\]\(\.\./(\S+)\) \| .+ \| .+ \|$", PAGE, re.MULTILINE)
    assert {name: file for name, file, _ in rows} == INTERFACES
    assert all(file == link and (TOP / link).exists() for _, file, link in rows)


@pytest.mark.parametrize("package", sorted({name.partition(":")[0] for name in INTERFACES}))
def test_the_version_of_each_package_is_capped(package: str) -> None:
    project = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
    requirements = [each for each in project["dependencies"] if re.match(rf"{package}\b(?!-)", each)]
    assert [each for each in requirements if re.search(r",<\d+(\.\d+)+$", each)] != []


def test_nothing_else_that_is_private_is_used() -> None:
    """Every attribute with an underscore is defined in this project, or on the page; so is every private module."""
    modules = [path for top in ("adapters", "entrypoints", "service_layer") for path in (TOP / top).rglob("*.py")]
    nodes = [node for path in modules for node in ast.walk(ast.parse(path.read_text()))]
    own = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    own |= {node.id for node in nodes if isinstance(node, ast.Name)}
    own |= {node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)}
    names = {
        node.attr for node in nodes if isinstance(node, ast.Attribute) and (node.attr not in own or is_super(node))
    }
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            names |= {*str(node.module).split("."), *(alias.name for alias in node.names)} - own
    used = {name for name in names if re.match(r"_[a-z]", name, re.IGNORECASE)}
    assert used - {"_exit"}, "the search finds nothing"  # os._exit is documented
    assert {name for name in used - {"_exit"} if name not in "".join(INTERFACES)} == set()


def is_super(attribute: ast.Attribute) -> bool:
    call = attribute.value
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "super"
