"""``python3 -m uv run --group bench python -m benchmarks``"""

import os
import signal
import sys
from contextlib import AbstractContextManager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import breakdown, growth, starts, while_writing, workers
from benchmarks.data import Copies, postgresql_copies, sqlite_copies
from benchmarks.machine import described
from benchmarks.measurements import Figures, measure
from benchmarks.plot import svg
from benchmarks.report import TITLES, Run, page, write
from benchmarks.scenarios import WrongAnswer
from benchmarks.servers import Cores

_PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
_SERVERS = ("BENCH_POSTGRES_URL", "TEST_POSTGRES_URL")


class Database(StrEnum):
    """What to measure on."""

    sqlite = "sqlite"
    postgresql = "postgresql"
    all = "all"


def main(
    rounds: Annotated[int, typer.Option(min=1, help="How often everybody's turn comes.")] = 5,
    seconds: Annotated[int, typer.Option(min=1, help="How long each load lasts that counts.")] = 2,
    database: Annotated[Database, typer.Option(help="PostgreSQL wants BENCH_POSTGRES_URL.")] = Database.all,
    output: Annotated[Path, typer.Option(help="The page to write; the plot goes beside it.")] = _PAGE,
) -> None:
    """Measure Belongings beside the tutorial's service, a hand-written floor and a route that does nothing."""
    out = Console(highlight=False, markup=False, soft_wrap=True)
    machine = described()  # before anything of ours keeps the machine busy
    cores = Cores.divide()
    out.print(f"{machine['Load']}; {cores}")
    figures: dict[str, Figures] = {}
    grown: dict[str, growth.Growth] = {}
    sections: list[str] = []
    for kind, data in _databases(database).items():
        with starts.compiling_once(), data as copies:
            machine |= copies.versions
            figures[kind] = measure(kind, copies, cores, rounds, seconds, out.print)
            grown[TITLES[kind]] = growth.measure(kind, copies, cores, rounds, out.print)
            if kind == "sqlite":
                sections.append(starts.section(starts.measure(copies, cores, out.print)))
                sections.append(breakdown.section(breakdown.measure(copies, out.print), figures[kind]))
            else:
                sections.append(workers.section(workers.measure(copies, cores, rounds, seconds, out.print), cores))
    plot = output.with_suffix(".svg")
    plot.write_text(svg(TITLES, figures))
    writing = while_writing.section({TITLES[kind]: each for kind, each in figures.items()})
    run = Run(figures, [writing, growth.section(grown), *sections], machine, str(cores), rounds, seconds)
    write(output, page(run, plot.name))
    out.print(f"Written: {output} and {plot.name}")


def _databases(wanted: Database) -> dict[str, AbstractContextManager[Copies]]:
    server = next((os.environ[name] for name in _SERVERS if os.environ.get(name)), None)
    if server is None and wanted is Database.postgresql:
        raise typer.BadParameter(f"set {_SERVERS[0]} to a server where databases can be created")
    found: dict[str, AbstractContextManager[Copies]] = {}
    if wanted is not Database.postgresql:
        found["sqlite"] = sqlite_copies()
    if wanted is not Database.sqlite and server:
        found["postgresql"] = postgresql_copies(server)
    return found


signal.signal(signal.SIGTERM, lambda *_: sys.exit("benchmarks: terminated"))  # and so leave nothing behind
try:
    typer.run(main)
except WrongAnswer as error:
    raise SystemExit(f"benchmarks: {error}") from None
