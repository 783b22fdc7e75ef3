"""The operations that operators run on a SQL database."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

from sqlalchemy import URL

from adapters.sql.operations import backup, checking
from service_layer.operations import Contents, Finding, OperationFailed, Progress

_SERVER_TOOLS = {"postgresql": "pg_dump and pg_restore", "mysql": "mariadb-dump and mariadb"}


class SqlDatabaseOperations:
    """Copy, back up, restore, check and repair the database at a URL."""

    def __init__(self, url: URL) -> None:
        self._url = url
        self._server = _SERVER_TOOLS.get(url.get_backend_name())
        self._path = Path(str(url.database))

    def copy_to(self, target: Self, progress: Progress) -> dict[str, int]:
        from adapters.sql.operations.copying import copy  # imports Alembic, which takes long and only this needs

        return copy(self._url, target._url, progress)

    def back_up(self, file: Path, progress: Progress, *, overwrite: bool) -> Contents:
        self._expect_sqlite()
        return backup.back_up(self._path, file, progress, overwrite=overwrite)

    def restore(self, file: Path, progress: Progress) -> tuple[Contents, Path | None]:
        self._expect_sqlite()
        return backup.restore(file, self._path, progress)

    def check(self) -> Iterator[Finding]:
        return checking.check(self._url)

    def repair(self, on_backup: Callable[[Path], object], *, backed_up: bool) -> Iterator[Finding]:
        if self._server and not backed_up:
            raise OperationFailed(
                "--repair changes rows: back up the database as docs/operating.md describes, then add --backed-up"
            )

        def back_up() -> None:
            if not backed_up:
                on_backup(checking.back_up_before_repair(self._path))

        return checking.repair(self._url, back_up)

    def _expect_sqlite(self) -> None:
        if self._server:
            raise OperationFailed(f"the database is on a server: use {self._server}, as docs/operating.md describes")
