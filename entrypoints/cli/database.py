"""The commands for databases: ``belongings migrate | copy | backup | restore | check``"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entrypoints.cli.output import errors_as_one_line, load_container, out, progress_bars, reason, stop

if TYPE_CHECKING:
    from service_layer.operations import DatabaseOperations


def migrate(
    revision: Annotated[
        str, typer.Argument(help="head, base, a revision, or +N; write -- -N to go down N steps.")
    ] = "head",
) -> None:
    """Upgrade the database schema to the newest revision, or up or down to another one."""
    from service_layer.errors import SchemaMismatch, StorageUnavailable

    store = load_container().store()
    try:
        steps = store.migrate(revision)
    except (ValueError, SchemaMismatch, StorageUnavailable) as error:
        stop(reason(error))
    finally:
        store.close()
    for step in steps:
        out.print(f"{step.direction} {step.revision} {step.title}")
    out.print(f"{'Migrated' if steps else 'Nothing to migrate'}: {store.label}")


def copy(
    source: Annotated[str, typer.Option("--from", metavar="URL", help="The database to read from; it is not changed.")],
    target: Annotated[str, typer.Option("--to", metavar="URL", help="The database to copy to; it must be empty.")],
) -> None:
    """Copy all data into another, empty SQL database, all or nothing, and check the result."""
    from entrypoints.container import build_operations

    with progress_bars() as show:
        copied = build_operations("--from", source).copy_to(build_operations("--to", target), show)
    out.print(f"Copied {_counts(copied)}; counts and checksums agree")


def backup(
    file: Annotated[Path, typer.Argument(help="The file to write.")],
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Copy a SQLite database to a file while it is in use, and check the copy."""
    with progress_bars() as show:
        copied = _operations().back_up(file, show, overwrite=force)
    out.print(f"Backed up {_counts(copied.rows)} at revision {copied.revision}; the copy is sound")


def restore(file: Annotated[Path, typer.Argument(help="A file written by backup.")]) -> None:
    """Replace the SQLite database with a backup; stop the service first."""
    with progress_bars() as show:
        restored, former = _operations().restore(file, show)
    restored_rows = f"{_counts(restored.rows)} at revision {restored.revision}"
    out.print(f"Restored {restored_rows}" + (f"; the former database is now {former}" if former else ""))


def check(
    repair: Annotated[bool, typer.Option("--repair", help="Back up, then repair what can be repaired.")] = False,
    backed_up: Annotated[
        bool,
        typer.Option("--backed-up", help="Make no backup: there is one. Required by --repair on a database server."),
    ] = False,
) -> None:
    """Report invalid rows in the database, one per line; the exit status is 1 if any remain."""
    found = left = 0
    with errors_as_one_line():
        operations = _operations()
        if repair:
            findings = operations.repair(lambda file: out.print(f"Backed up to {file}"), backed_up=backed_up)
        else:
            findings = operations.check()
        for finding in findings:
            out.print(f"{finding.place}: {finding.problem}" + (f"; {finding.repair}" if finding.repair else ""))
            found, left = found + 1, left + finding.left
    if repair:
        out.print(f"Findings: {found}, of which {found - left} were repaired")
    else:
        out.print(f"Findings: {found}" + ("; belongings check --repair repairs what can be repaired" if found else ""))
    if left:
        raise typer.Exit(1)


def _operations() -> "DatabaseOperations":
    """The operations on the database in the settings."""
    from entrypoints.container import build_operations
    from entrypoints.settings import load_settings

    return build_operations("DATABASE_URL", load_settings().database_url.get_secret_value())


def _counts(rows: dict[str, int]) -> str:
    return " and ".join(f"{count} {table}" for table, count in rows.items())
