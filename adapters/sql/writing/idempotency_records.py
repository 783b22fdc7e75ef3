"""What was answered to requests that may come again, in the transaction that did what it tells of."""

from dataclasses import asdict

from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from adapters.sql.engine.errors import is_locked, translate_errors
from adapters.sql.mapping.tables import idempotency_keys
from service_layer.errors import IdempotencyKeyInUse
from service_layer.ports import IdempotencyRecord

_FORGOTTEN_AT_ONCE = 10

_columns = idempotency_keys.c
_NOW = bindparam("now", type_=_columns.expires_at.type)
_GET = select(idempotency_keys).where(_columns.key == bindparam("wanted"), _columns.expires_at > _NOW)
_REPLACE = delete(idempotency_keys).where(_columns.key == bindparam("wanted"), _columns.expires_at <= _NOW)
_ADD = insert(idempotency_keys)
_EXPIRED = (
    select(_columns.key)
    .where(_columns.expires_at <= _NOW)
    .order_by(_columns.expires_at)
    .limit(_FORGOTTEN_AT_ONCE)
    .with_for_update(skip_locked=True)
)
_FORGET = delete(idempotency_keys).where(_columns.key == bindparam("wanted"))


class SqlAlchemyIdempotencyRecords:
    """Adding waits for whoever is adding the same key. Forgetting comes after it and waits for nobody:
    so two units of work never wait for each other here."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, key: str, *, now: int) -> IdempotencyRecord | None:
        with translate_errors():
            row = self._session.connection().execute(_GET, {"wanted": key, "now": now}).one_or_none()
        return None if row is None else IdempotencyRecord(*row)

    def add(self, record: IdempotencyRecord, *, now: int) -> None:
        with translate_errors():
            self._session.flush()
            connection = self._session.connection()
            try:
                connection.execute(_REPLACE, {"wanted": record.key, "now": now})
                connection.execute(_ADD, asdict(record))
            except IntegrityError as error:  # its key is all that such a row can violate
                raise IdempotencyKeyInUse from error
            except OperationalError as error:
                if is_locked(error):
                    raise IdempotencyKeyInUse from error
                raise
            expired = connection.scalars(_EXPIRED, {"now": now}).all()
            if expired:
                connection.execute(_FORGET, [{"wanted": key} for key in expired])
