"""The command line: ``belongings serve | migrate | copy | backup | restore | check | settings``

What only some commands need is imported inside them, so that ``--help`` is quick.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

app = typer.Typer(
    help="Keeps users and the items they own.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
out = Console(soft_wrap=True, highlight=False, markup=False)
err = Console(soft_wrap=True, highlight=False, markup=False, stderr=True)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="The port; 0 picks a free one.", show_default="8000")
    ] = None,
    open_to_network: Annotated[
        bool,
        typer.Option(
            "--open-to-network", help="Allow an address that other machines can reach, although there is no sign-in."
        ),
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Number of worker processes.", show_default="1")
    ] = None,
    reload: Annotated[bool, typer.Option(help="Restart when the code changes.")] = False,
) -> None:
    """Serve the HTTP API until Ctrl-C. An embedded database is migrated first."""
    from entrypoints.logging import configure
    from entrypoints.server.serving import CannotServe, check_tls, find_address, listen, run

    container = _container()
    settings, store = container.settings(), container.store()
    workers = workers or settings.workers
    if workers > 1 and store.single_process_reason:
        _stop(f"--workers {workers} is not possible with {store.label}: {store.single_process_reason}")
    configure(settings.log_format)
    try:
        family, address = find_address(
            settings.host if host is None else host,
            settings.port if port is None else port,
            open_to_network=open_to_network or settings.open_to_network,
        )
        scheme = check_tls(settings)
        _prepare(store)
        listener = listen(family, address)
    except CannotServe as error:
        _stop(str(error))
    ip, port = listener.getsockname()[:2]
    shown = f"[{ip}]" if ":" in ip else ip
    listens = f"Belongings listens on {scheme}://{shown}:{port} (see /docs) and keeps its data in {store.label}"
    with suppress(KeyboardInterrupt):
        run(listener, settings, workers=workers, reload=reload, announce=lambda: out.print(listens))


@app.command()
def migrate(
    revision: Annotated[str, typer.Argument(help="head, base, a revision, or +N; write -- -N to go down N steps.")] = (
        "head"
    ),
) -> None:
    """Upgrade the database schema to the newest revision, or up or down to another one."""
    from service_layer.errors import StorageUnavailable

    store = _container().store()
    try:
        steps = store.migrate(revision)
    except (ValueError, StorageUnavailable) as error:
        _stop(_reason(error))
    finally:
        store.close()
    for step in steps:
        out.print(f"{step.direction} {step.revision} {step.title}")
    out.print(f"{'Migrated' if steps else 'Nothing to migrate'}: {store.label}")


@app.command()
def copy(
    source: Annotated[str, typer.Option("--from", metavar="URL", help="The database to read from; it is not changed.")],
    target: Annotated[str, typer.Option("--to", metavar="URL", help="The database to copy to; it must be empty.")],
) -> None:
    """Copy all users and items into another, empty SQL database, all or nothing, and check the result."""
    from entrypoints.container import copy_database

    with _progress() as show:
        copied = copy_database(source, target, show)
    rows = " and ".join(f"{count} {name}" for name, count in copied.items())
    out.print(f"Copied {rows}; counts and checksums agree")


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="The file to write.")],
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Copy a SQLite database to a file while it is in use, and check the copy."""
    from entrypoints.container import back_up_database
    from entrypoints.settings import load_settings

    with _progress() as show:
        held = back_up_database(load_settings(), file, show, overwrite=force)
    out.print(f"Backed up {held.users} users and {held.items} items at revision {held.revision}; the copy is sound")


@app.command()
def restore(file: Annotated[Path, typer.Argument(help="A file written by backup.")]) -> None:
    """Replace the SQLite database with a backup; stop the service first."""
    from entrypoints.container import restore_database
    from entrypoints.settings import load_settings

    with _progress() as show:
        held, aside = restore_database(load_settings(), file, show)
    kept = f"; what was there is now {aside}" if aside else ""
    out.print(f"Restored {held.users} users and {held.items} items at revision {held.revision}{kept}")


@app.command()
def check(
    repair: Annotated[bool, typer.Option("--repair", help="Back up, then repair what can be repaired.")] = False,
    backed_up: Annotated[
        bool,
        typer.Option("--backed-up", help="Make no backup: there is one. Required by --repair on a database server."),
    ] = False,
) -> None:
    """Report invalid rows in the database, one per line; the exit status is 1 if any remain."""
    from entrypoints.container import check_database, repair_database
    from entrypoints.settings import load_settings

    found = left = 0
    with _refusals():
        if repair:
            findings = repair_database(
                load_settings(), lambda file: out.print(f"Backed up to {file}"), backed_up=backed_up
            )
        else:
            findings = check_database(load_settings())
        for finding in findings:
            out.print(str(finding))
            found, left = found + 1, left + finding.left
    if repair:
        out.print(f"Findings: {found}, of which {found - left} were repaired")
    else:
        out.print(f"Findings: {found}" + ("; belongings check --repair repairs what can be repaired" if found else ""))
    if left:
        raise typer.Exit(1)


@app.command()
def settings() -> None:
    """List all settings with their values, defaults and descriptions."""
    from entrypoints.settings import Settings, variable

    container = _container()
    for name, field in Settings.model_fields.items():
        hidden = name == "database_url"
        value = container.store().label if hidden else getattr(container.settings(), name)
        default = field.default.get_secret_value() if hidden else field.default
        if isinstance(value, tuple):
            value = " ".join(map(str, value))
        out.print(f"{variable(name)}={value}  (default: {default})")
        out.print(f"    {field.description}")


def _container() -> Any:
    from entrypoints.container import build_container
    from entrypoints.settings import WrongSetting, load_settings

    try:
        return build_container(load_settings())
    except WrongSetting as error:
        _stop(str(error))


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar for each step on a terminal; say in one line why it could not be done."""
    from rich.progress import Progress, TaskID

    bars: dict[str, TaskID] = {}

    def show(step: str, done: int, total: int) -> None:
        if step not in bars:
            bars[step] = shown.add_task(step)
        shown.update(bars[step], completed=done, total=total)

    with _refusals(), Progress(console=err, transient=True, disable=not err.is_interactive) as shown:
        yield show


@contextmanager
def _refusals() -> Iterator[None]:
    """Say in one line why it could not be done."""
    from domain.errors import BelongingsError
    from entrypoints.settings import WrongSetting

    try:
        yield
    except (WrongSetting, BelongingsError) as error:
        _stop(_reason(error))


def _prepare(store: Any) -> None:
    from service_layer.errors import SchemaMismatch, SchemaNewer, StorageUnavailable

    try:
        store.prepare()
    except SchemaNewer as error:
        _stop(f"{store.label}: {error}")
    except (SchemaMismatch, StorageUnavailable) as error:
        if store.embedded:
            _stop(f"{store.label}: {_reason(error)}")
        err.print(f"belongings: {store.label}: {_reason(error)}; until then /health/ready is 503")
    finally:
        store.close()


def _reason(error: Exception) -> str:
    return getattr(error, "reason", None) or str(error)


def _stop(message: str) -> NoReturn:
    err.print(f"belongings: {message}")
    raise typer.Exit(1)
