"""Permissions of the files that SQLite creates."""

import os
from contextlib import suppress
from typing import Any

from sqlalchemy import Engine, event


def create_private_files(engine: Engine) -> None:
    """Have a SQLite engine create its file readable for this user only. An existing file keeps its mode.

    SQLite by itself would create it readable for all. It gives the mode of the file to its journals and logs.
    """
    event.listen(engine, "do_connect", _create)


def _create(_dialect: object, _record: object, arguments: list[Any], _options: object) -> None:
    """Create the file if it does not exist.

    An existing file is not even opened: closing it would release SQLite's locks in this process.
    """
    name = str(arguments[0])
    if name and name != ":memory:" and not name.startswith("file:"):
        with suppress(OSError):  # SQLite reports the error
            os.close(os.open(os.path.realpath(name), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
