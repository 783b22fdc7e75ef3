"""Whom SQLite lets read the files that it makes."""

import os
from contextlib import suppress
from typing import Any

from sqlalchemy import Engine, event


def create_private_files(engine: Engine) -> None:
    """Let a SQLite engine that finds no file make one for this user only; one that is there keeps its mode.

    SQLite itself would let everybody read it. It gives the mode of the file to those that it makes beside it.
    """
    event.listen(engine, "do_connect", _create)


def _create(_dialect: object, _record: object, arguments: list[Any], _options: object) -> None:
    """Make the file if it is not there.

    One that is there is not even opened: to close it would end the locks that SQLite has on it in this process.
    """
    name = str(arguments[0])
    if name and name != ":memory:" and not name.startswith("file:"):
        with suppress(OSError):  # of which SQLite says more
            os.close(os.open(os.path.realpath(name), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
