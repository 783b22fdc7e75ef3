"""What other processes do in the tests; in a module of its own, which they import."""

import os
import signal

from sqlalchemy import Engine, event

from adapters.sql.engine.engines import parse_url
from adapters.sql.operations.migrations import migrate


def migrate_it(url: str) -> int:
    """Migrate to the newest revision; how many steps that took."""
    return len(migrate(parse_url(url)))


def migrate_and_die(url: str, revision: str, statement: int) -> None:
    """Migrate, and be killed right after the n-th statement that changes something."""
    left = statement

    @event.listens_for(Engine, "after_cursor_execute")
    def count(_connection: object, _cursor: object, sql: str, *_: object) -> None:
        nonlocal left
        left -= sql.lstrip().startswith(("CREATE", "DROP", "INSERT", "UPDATE", "DELETE", "ALTER"))
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    migrate(parse_url(url), revision)
