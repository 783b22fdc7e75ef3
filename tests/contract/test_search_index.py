"""The index on PostgreSQL that docs/databases.md leaves to operators."""

import re
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import text

from adapters.sql.engine.engines import parse_url
from adapters.sql.operations.migrations import migrate
from domain.items import Item
from entrypoints.container import SqlContainer
from service_layer.read_models import ITEMS, PageParams
from tests.conftest import Databases, container_for

PAGE = Path(__file__).parents[2] / "docs/databases.md"
WORDS = ["zebra", "ZEBRA", "100%", "_", "e", "ärmel", "/", "no such", "\U0001f993"]


def test_the_index_for_searching_changes_no_answer_and_is_used(databases: Databases) -> None:
    url = databases.empty("postgresql")
    migrate(parse_url(url))
    container = cast(SqlContainer, container_for(url))
    container.store().prepare()
    with container.unit_of_work() as uow:
        for n in range(1_000):
            uow.items.add(Item(title=f"Towel {n}", description="a 100% Zebra_/Ärmel \U0001f993" if n == 999 else None))
        uow.commit()
    filters = [{"q": word} for word in WORDS]

    def found() -> list[object]:
        views = container.unit_of_work().views
        return [(views.list(ITEMS, PageParams(), each), views.count(ITEMS, each)) for each in filters]

    before = found()
    administrator = container.engines().reader  # in autocommit, which CONCURRENTLY needs
    with administrator.connect() as connection:
        if not connection.scalar(text("SELECT 1 FROM pg_available_extensions WHERE name = 'pg_trgm'")):
            pytest.skip("this PostgreSQL has no pg_trgm")
        block = re.search(r"```sql\n(.*?)```", PAGE.read_text(), re.DOTALL)
        assert block
        for statement in filter(str.strip, block[1].split(";")):
            connection.execute(text(statement))
        connection.execute(text("ANALYZE items"))
    assert found() == before
    with container.engines().scanner.connect() as connection:  # the one that has searched
        connection.execute(text("SELECT pg_stat_force_next_flush()"))
        used = connection.scalar(
            text("SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'own_items_search_text'")
        )
    container.store().close()
    assert used
