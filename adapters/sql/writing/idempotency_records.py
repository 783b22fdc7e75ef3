"""Idempotency records, stored in the transaction whose result they hold."""

from dataclasses import asdict

from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from adapters.sql.engine.errors import is_locked, translate_errors
from adapters.sql.mapping.tables import idempotency_keys
from service_layer.errors import IdempotencyKeyInUse
from service_layer.ports import IdempotencyRecord

_EXPIRED_MAX = 10
"""The most expired records that one ``add`` deletes."""

_columns = idempotency_keys.c
_NOW = bindparam("now", type_=_columns.expires_at.type)
_GET = select(idempotency_keys).where(_columns.key == bindparam("record_key"), _columns.expires_at > _NOW)
_DELETE_EXPIRED_KEY = delete(idempotency_keys).where(
    _columns.key == bindparam("record_key"), _columns.expires_at <= _NOW
)
_INSERT = insert(idempotency_keys)
_EXPIRED = (
    select(_columns.key)
    .where(_columns.expires_at <= _NOW)
    .order_by(_columns.expires_at)
    .limit(_EXPIRED_MAX)
    .with_for_update(skip_locked=True)
)
_DELETE = delete(idempotency_keys).where(_columns.key == bindparam("record_key"))


class SqlAlchemyIdempotencyRecords:
    """Idempotency records of one session.

    Adding a record waits for concurrent transactions that add the same key. Deleting expired ones comes after it and
    skips locked rows, so it cannot cause a deadlock.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, key: str, *, now: int) -> IdempotencyRecord | None:
        with translate_errors():
            row = self._session.connection().execute(_GET, {"record_key": key, "now": now}).one_or_none()
        return None if row is None else IdempotencyRecord(*row)

    def add(self, record: IdempotencyRecord, *, now: int) -> None:
        with translate_errors():
            self._session.flush()
            connection = self._session.connection()
            try:
                connection.execute(_DELETE_EXPIRED_KEY, {"record_key": record.key, "now": now})
                connection.execute(_INSERT, asdict(record))
            except IntegrityError as error:  # only the primary key can be violated
                raise IdempotencyKeyInUse from error
            except OperationalError as error:
                if is_locked(error):
                    raise IdempotencyKeyInUse from error
                raise
            expired = connection.scalars(_EXPIRED, {"now": now}).all()
            if expired:
                connection.execute(_DELETE, [{"record_key": key} for key in expired])
