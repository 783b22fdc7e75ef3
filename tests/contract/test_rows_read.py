"""How many rows a list reads."""

from typing import cast

from sqlalchemy import Engine, StaticPool, create_engine, text

from adapters.sql.reading.views import SqlAlchemyViews
from domain.items import Item
from entrypoints.container import SqlContainer
from service_layer.aggregates import NO_FILTER
from service_layer.read_models import EMBEDDED_ITEMS, USERS, PageParams
from tests.conftest import Databases
from tests.contract.stored import stored_user

MANY = 3_000


def test_on_mariadb_a_page_of_users_reads_only_the_items_that_it_contains(databases: Databases) -> None:
    container = cast(SqlContainer, databases.migrated("mariadb"))
    rich, poor = (stored_user(container.unit_of_work, f"{name}@example.com") for name in ("rich", "poor"))
    with container.unit_of_work() as uow:
        for n in range(MANY):
            uow.items.add(Item(title=f"Towel {n}", owner_id=rich))
        uow.commit()
    engine = create_engine(container.url(), poolclass=StaticPool, isolation_level="AUTOCOMMIT")
    views = SqlAlchemyViews(engine, engine)
    for filter in [NO_FILTER, {"is_active": True}]:
        before = _rows_read(engine)
        users = views.list(USERS, PageParams(), filter).rows
        read = _rows_read(engine) - before
        assert [(user["id"], len(user["items"])) for user in users] == [(rich, EMBEDDED_ITEMS), (poor, 0)]
        assert EMBEDDED_ITEMS < read < MANY / 2
    engine.dispose()


def _rows_read(engine: Engine) -> int:
    """The number of rows and index entries that the only connection has read."""
    with engine.connect() as connection:
        return sum(int(value) for _, value in connection.execute(text("SHOW SESSION STATUS LIKE 'Handler_read%'")))
