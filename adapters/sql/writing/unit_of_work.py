"""The unit of work: one session, one transaction at a time, on the writer engine."""

from types import TracebackType
from typing import Self

from sqlalchemy.exc import DBAPIError

from adapters.sql.engine.errors import translate_commit_errors, translate_errors
from adapters.sql.reading.views import SqlAlchemyViews
from adapters.sql.writing.idempotency_records import SqlAlchemyIdempotencyRecords
from adapters.sql.writing.repositories import SqlAlchemyItemRepository, SqlAlchemyUserRepository
from adapters.sql.writing.sessions import Sessions


class SqlAlchemyUnitOfWork:
    """Checks out a connection for the first statement and returns it on ``commit`` or at the end of the block."""

    def __init__(self, sessions: Sessions, views: SqlAlchemyViews) -> None:
        self._sessions = sessions
        self.views = views

    def __enter__(self) -> Self:
        self._session = self._sessions.new()
        self.users = SqlAlchemyUserRepository(self._session)
        self.items = SqlAlchemyItemRepository(self._session)
        self.idempotency_records = SqlAlchemyIdempotencyRecords(self._session)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # close() alone would return a connection whose COMMIT failed with its transaction still open
        with translate_errors():
            try:
                self._session.rollback()
            except DBAPIError:  # the transaction is gone already
                if error is None:
                    raise  # otherwise the first error says more
            finally:
                self._session.close()

    def commit(self) -> None:
        with translate_errors():
            self._session.flush()
        with translate_commit_errors():
            self._session.commit()
