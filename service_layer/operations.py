"""What operators do with a database from the command line: the port.

Every promise is tested on all SQL databases, in ``tests/cli/test_copy.py``, ``test_backup.py`` and ``test_check.py``.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from domain.errors import BelongingsError

Progress = Callable[[str, int, int], object]
"""Called with the name of the current step, how much of it is done, and how much there is in all."""


class OperationFailed(BelongingsError):
    """An operation was refused or failed; the message says why."""

    __str__ = Exception.__str__


@dataclass(frozen=True, slots=True)
class Contents:
    """A summary of a database.

    :param rows: the number of rows, by table.
    """

    revision: str
    rows: dict[str, int]


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault in a database.

    :param place: a table and an id, or another part of the database.
    :param problem: a description without any stored value, so it is safe to print.
    :param repair: what ``repair`` did about it.
    :param left: whether the fault is still there.
    """

    place: str
    problem: str
    repair: str = ""
    left: bool = True


class DatabaseOperations(Protocol):
    """Copy, back up, restore, check and repair one database.

    Every method raises ``OperationFailed`` or ``StorageUnavailable``, with a message for the operator.
    """

    def copy_to(self, target: Self, progress: Progress) -> dict[str, int]:
        """Copy all rows into an empty database, and return the number of rows of each table."""

    def back_up(self, file: Path, progress: Progress, *, overwrite: bool) -> Contents:
        """Write a checked copy to a file. A service may use the database meanwhile. Only for SQLite."""

    def restore(self, file: Path, progress: Progress) -> tuple[Contents, Path | None]:
        """Replace the database with a backup. No service may be using the database. Only for SQLite.

        :return: what the backup holds, and the file that now holds the former database, if there was one.
        """

    def check(self) -> Iterator[Finding]:
        """Find faults and change nothing. A service may use the database meanwhile."""

    def repair(self, on_backup: Callable[[Path], object], *, backed_up: bool) -> Iterator[Finding]:
        """Find faults, and repair those whose correct value is known.

        :param on_backup: called with the file that a SQLite database was backed up to before the first change.
        :param backed_up: whether there is a backup already. A database on a server is not repaired without one.
        """
