"""The unit of work: one session, one transaction at a time, on the writer engine."""

from types import TracebackType
from typing import Any, Self

from sqlalchemy.exc import DBAPIError

from adapters.sql.engine.errors import translate_commit_errors, translate_errors
from adapters.sql.reading.views import SqlAlchemyViews
from adapters.sql.writing.idempotency_records import SqlAlchemyIdempotencyRecords
from adapters.sql.writing.repositories import SqlAlchemyRepository
from adapters.sql.writing.sessions import Sessions
from domain.items import Item
from domain.users import User
from service_layer.aggregates import Aggregate, AnyAggregate, Entity
from service_layer.read_models import ITEMS, USERS


class SqlAlchemyUnitOfWork:
    """Checks out a connection for the first statement and returns it on ``commit`` or at the end of the block."""

    def __init__(self, sessions: Sessions, views: SqlAlchemyViews) -> None:
        self._sessions = sessions
        self.views = views

    @property
    def users(self) -> SqlAlchemyRepository[User]:
        return self.repository(USERS)

    @property
    def items(self) -> SqlAlchemyRepository[Item]:
        return self.repository(ITEMS)

    def repository(self, aggregate: Aggregate[Entity, Any]) -> SqlAlchemyRepository[Entity]:
        if aggregate not in self._repositories:
            self._repositories[aggregate] = SqlAlchemyRepository(self._session, aggregate)
        return self._repositories[aggregate]

    def __enter__(self) -> Self:
        self._session = self._sessions.new()
        self._repositories: dict[AnyAggregate, SqlAlchemyRepository[Any]] = {}
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
