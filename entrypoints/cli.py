"""The command line: ``belongings serve | migrate | settings``

What only some commands need is imported inside them, so that ``--help`` is quick.
"""

import socket
import sys
from contextlib import suppress
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Column, Table

app = typer.Typer(
    help="Keeps users and the items they own.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
out = Console(soft_wrap=True, highlight=False, markup=False)
err = Console(soft_wrap=True, highlight=False, markup=False, stderr=True)

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "plain": {"format": "%(asctime)s %(levelname)s %(message)s"},
        "access": {
            "()": "uvicorn.logging.AccessFormatter",
            "fmt": '%(asctime)s %(levelname)s %(client_addr)s "%(request_line)s" %(status_code)s',
            "use_colors": False,
        },
    },
    "handlers": {
        "plain": {"class": "logging.StreamHandler", "formatter": "plain"},
        "access": {"class": "logging.StreamHandler", "formatter": "access"},
    },
    "loggers": {
        "belongings": {"handlers": ["plain"], "level": "INFO", "propagate": False},
        "uvicorn": {"handlers": ["plain"], "level": "WARNING", "propagate": False},
        "uvicorn.access": {"handlers": ["access"], "level": "INFO", "propagate": False},
    },
}


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.", show_default="8000")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="How many processes.", show_default="1")] = None,
    reload: Annotated[bool, typer.Option(help="Start anew whenever the code changes.")] = False,
) -> None:
    """Serve the HTTP API until Ctrl-C. An embedded database is migrated first."""
    container = _container()
    settings, store = container.settings(), container.store()
    workers = workers or settings.workers
    if workers > 1 and store.one_process_only:
        _stop(f"--workers {workers} is not possible with {store.label}: {store.one_process_only}")
    _prepare(store)
    listener = _listen(host or settings.host, settings.port if port is None else port)
    address, port = listener.getsockname()[:2]
    shown = f"[{address}]" if ":" in address else address
    with suppress(KeyboardInterrupt):
        out.print(f"Belongings listens on http://{shown}:{port} (see /docs) and keeps its data in {store.label}")
        _run(listener, workers, reload)


@app.command()
def migrate(
    revision: Annotated[str, typer.Argument(help="head, base, a revision, or +N; write -- -N to go N steps down.")] = (
        "head"
    ),
) -> None:
    """Bring the database to the newest schema, or to another revision, up or down."""
    from domain.errors import StorageUnavailable

    store = _container().store()
    try:
        steps = store.migrate(revision)
    except (ValueError, StorageUnavailable) as error:
        _stop(_reason(error))
    for step in steps:
        out.print(f"{step.direction} {step.revision} {step.title}")
    out.print(f"{len(steps) or 'Nothing'} {'migrated' if steps else 'to migrate'}: {store.label}")


@app.command()
def settings() -> None:
    """List all settings: what they are, what they may be, what they mean."""
    from entrypoints.settings import Settings, variable

    container = _container()
    table = Table(Column("Variable", no_wrap=True), "Value", "Default", "Meaning", show_edge=False)
    for name, field in Settings.model_fields.items():
        hidden = name == "database_url"
        value = container.store().label if hidden else getattr(container.settings(), name)
        default = field.default.get_secret_value() if hidden else field.default
        table.add_row(variable(name), str(value), str(default), field.description)
    out.print(table, soft_wrap=False)


def _container() -> Any:
    from entrypoints.container import build_container
    from entrypoints.settings import WrongSetting, load_settings

    try:
        return build_container(load_settings())
    except WrongSetting as error:
        _stop(str(error))


def _prepare(store: Any) -> None:
    from domain.errors import SchemaMismatch, SchemaNewer, StorageUnavailable

    try:
        store.prepare()
    except SchemaNewer as error:
        _stop(f"{store.label}: {error}")
    except (SchemaMismatch, StorageUnavailable) as error:
        if store.embedded:
            _stop(f"{store.label}: {_reason(error)}")
        err.print(f"belongings: {store.label}: {_reason(error)}; until then every answer is 503")
    finally:
        store.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        _stop(f"cannot listen on {host}:{port}: {str(error.strerror).partition(' (while')[0]}")


def _run(listener: socket.socket, workers: int, reload: bool) -> None:
    import uvicorn
    from uvicorn.supervisors import ChangeReload, Multiprocess

    config = uvicorn.Config(
        "entrypoints.api.app:create_app", factory=True, workers=workers, reload=reload, log_config=LOGGING
    )
    server = uvicorn.Server(config)
    if config.should_reload:
        ChangeReload(config, target=server.run, sockets=[listener]).run()
    elif workers > 1:
        Multiprocess(config, sockets=[listener]).run()
    else:
        server.run(sockets=[listener])
        if not server.started:
            sys.exit(1)


def _reason(error: Exception) -> str:
    return getattr(error, "reason", None) or str(error)


def _stop(message: str) -> NoReturn:
    err.print(f"belongings: {message}")
    raise typer.Exit(1)
