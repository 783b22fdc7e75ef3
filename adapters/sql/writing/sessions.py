"""Sessions on the writer engine, each in its own transaction or several in a shared one."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import local

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from adapters.sql.engine.engines import has_transaction
from adapters.sql.engine.errors import translate_commit_errors, translate_errors
from adapters.sql.mapping.mappers import start_mappers
from service_layer.errors import StorageUnavailable


class Sessions:
    """Creates sessions on the writer engine."""

    def __init__(self, writer: Engine) -> None:
        start_mappers()
        self._writer = writer
        self._thread = local()

    def new(self) -> Session:
        """Create a session. Its commit is durable when it returns or, inside ``group_commit``, when that block ends.

        :raises StorageUnavailable: the database has already rolled back the shared transaction.
        """
        shared = getattr(self._thread, "shared", None)
        if shared is None:
            return Session(self._writer, expire_on_commit=False, autoflush=False)
        if not has_transaction(shared):
            raise StorageUnavailable("the database has rolled back the shared transaction")
        return Session(shared, join_transaction_mode="create_savepoint", expire_on_commit=False, autoflush=False)

    @contextmanager
    def group_commit(self) -> Iterator[None]:
        """Commit all sessions that this thread uses in the block with a single commit. For SQLite only.

        :raises StorageUnavailable: nothing was committed.
        :raises OutcomeUnknown: either all of it was committed, or nothing.
        """
        with translate_errors(), self._writer.connect() as connection, connection.begin() as transaction:
            self._thread.shared = connection
            try:
                yield
            finally:
                self._thread.shared = None
            with translate_commit_errors():
                transaction.commit()
