"""Sessions on the writer: each in a transaction of its own, or several in turn in one that they share."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import local

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from adapters.sql.engine.engines import has_transaction
from adapters.sql.engine.errors import translate_commit_errors, translate_errors
from adapters.sql.mapping.tables import start_mappers
from service_layer.errors import StorageUnavailable


class Sessions:
    """:param writer: what they write through."""

    def __init__(self, writer: Engine) -> None:
        start_mappers()
        self._writer = writer
        self._thread = local()

    def new(self) -> Session:
        """One whose commit is on disk when it returns, or in a block of ``group_commit`` when that ends.

        :raises StorageUnavailable: the database has undone already what was written in the block.
        """
        shared = getattr(self._thread, "shared", None)
        if shared is None:
            return Session(self._writer, expire_on_commit=False, autoflush=False)
        if not has_transaction(shared):
            raise StorageUnavailable("the database has undone this, and what was written with it")
        return Session(shared, join_transaction_mode="create_savepoint", expire_on_commit=False, autoflush=False)

    @contextmanager
    def group_commit(self) -> Iterator[None]:
        """Let this thread's sessions, one after the other, be kept with a single commit. For SQLite only.

        :raises StorageUnavailable: nothing of it was kept.
        :raises OutcomeUnknown: all of it may have been kept, or nothing.
        """
        with translate_errors(), self._writer.connect() as connection, connection.begin() as transaction:
            self._thread.shared = connection
            try:
                yield
            finally:
                self._thread.shared = None
            with translate_commit_errors():
                transaction.commit()
