"""Backups of a database that clients write to."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from time import monotonic

import pytest

from tests.faults.conftest import Belongings, Figure
from tests.faults.keep_alive import Load
from tests.faults.service import Service


async def back_up(service: Service, file: Path) -> tuple[int, str]:
    """Run ``belongings backup`` where the service runs; its status, and what it said."""
    command = [sys.executable, "-c", "from entrypoints.cli import app; app()", "backup", file.name]
    environment = os.environ | {"DATABASE_URL": "sqlite:///belongings.db"}
    process = await asyncio.create_subprocess_exec(
        *command, cwd=service.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


@pytest.mark.parametrize(
    ("times", "rows", "pause"), [(1, 0, 0.1), pytest.param(20, 200_000, 0.01, marks=pytest.mark.long)]
)
def test_a_backup_under_load_holds_all_that_was_acknowledged_before(
    belongings: Belongings, figure: Figure, times: int, rows: int, pause: float
) -> None:
    service = belongings()
    with closing(sqlite3.connect(service.folder / "belongings.db")) as database, database:
        filling = "INSERT INTO items (title, description, version, search_text) VALUES ('-', ?, 1, '')"
        database.executemany(filling, (("x" * 500,) for _ in range(rows)))

    async def run() -> tuple[Load, float]:
        longest = 0.0
        async with Load(service.url, clients=4, pause=pause) as load:
            for turn in range(times):
                await load.more(20)
                file = service.folder / f"{turn}.db"
                before, began = load.kept.copy(), monotonic()
                status, said = await back_up(service, file)
                longest = max(longest, monotonic() - began)
                assert status == 0, said
                with closing(sqlite3.connect(file)) as copy:
                    found = list(copy.execute("SELECT id, title FROM items ORDER BY id"))
                    assert before <= {title for _, title in found}
                    assert [id for id, _ in found] == list(range(1, len(found) + 1))  # and none without those before it
                file.unlink()
        return load, longest

    load, longest = asyncio.run(run())
    assert set(load.answers) == {200}
    assert (load.cut, load.refused) == (0, 0)
    size = (service.folder / "belongings.db").stat().st_size / 1_000_000
    figure(f"{times} backups of up to {size:.0f} MB, {load.answers.total()} answers, {longest:.1f} s at most")
    assert service.stop() == 0
