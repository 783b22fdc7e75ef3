"""Where the time of a request goes; ``python -m benchmarks.stages`` measures it in a process of its own."""

import asyncio
import json
from collections.abc import Callable
from itertools import cycle
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from dependency_injector import providers
from fastapi import APIRouter, FastAPI, Response
from orjson import dumps
from uvicorn import Config

from adapters.sql.reading.reader import Reader, Row
from benchmarks.in_process import answer_nothing, requests, spent_by_tasks, spent_on_calls
from benchmarks.scenarios import ITEMS, USER, Scenario
from entrypoints.api.app import create_app
from service_layer.items import list_items
from service_layer.read_models import Page, PageParams
from service_layer.users import read_user

_REPEATS = 7
_TIMES = {USER: 1_600, ITEMS: 640}
_EMPTY = "/empty"

Spent = dict[str, float]
"""µs of processor time for a request: the least of all repeats, by how much of the work was done."""


class _Inline:
    """A lane without threads."""

    async def run(self, work: Callable[..., object], *args: object, **kwargs: object) -> object:
        return work(*args, **kwargs)


async def _measured() -> dict[str, Spent]:
    """By the title of a scenario."""
    app = create_app()
    _put_empty_endpoint_first(app)
    async with app.router.lifespan_context(app):
        uow = app.state.container.unit_of_work()
        users = cycle(range(USER.first, USER.last + 1))
        return {
            USER.title: await _spent(app, USER, lambda: read_user(uow, next(users))),
            ITEMS.title: await _spent(app, ITEMS, lambda: list_items(uow, PageParams())),
        }


def _put_empty_endpoint_first(app: FastAPI) -> None:
    router = APIRouter()

    @router.get(_EMPTY)
    async def empty() -> Response:
        return Response(b"{}", media_type="application/json")

    app.router.routes[:0] = router.routes


async def _spent(app: FastAPI, scenario: Scenario, use_case: Callable[[], Any]) -> Spent:
    """All that a request for this scenario does, less and less of it, and parts of it without a request."""
    times = _TIMES[scenario]
    paths = [scenario.path.replace("{id}", str(id)) for id in range(scenario.first, scenario.last + 1)]
    found, rows = _recorded(use_case)
    content = found.rows if isinstance(found, Page) else found
    views = SimpleNamespace(read=lambda *_: found, list=lambda *_: found)
    found_already = providers.Object(SimpleNamespace(views=views))
    thread_pools, inline = app.state.thread_pools, SimpleNamespace(reading=_Inline())
    least: Spent = {}
    for _ in range(_REPEATS):
        now = {
            "asking": await spent_by_tasks(requests(answer_nothing, paths), times),
            "empty": await spent_by_tasks(requests(app, [_EMPTY]), times),
            "lane": await spent_by_tasks(lambda: thread_pools.reading.run(_nothing), times),
            "lane, read": await spent_by_tasks(lambda: thread_pools.reading.run(use_case), times),
            "all": await spent_by_tasks(requests(app, paths), times),
            "read": spent_on_calls(use_case, times),
            "json": spent_on_calls(lambda: dumps(content), times),
        }
        with patch.object(Reader, "rows", lambda *_, **__: rows):
            now["shape"] = spent_on_calls(use_case, times)
        with app.state.container.unit_of_work.override(found_already):
            now["threads"] = await spent_by_tasks(requests(app, paths), times)
            app.state.thread_pools = inline
            now["inline"] = await spent_by_tasks(requests(app, paths), times)
            app.state.thread_pools = thread_pools
        least = {name: min(spent, least.get(name, spent)) for name, spent in now.items()}
    return least


def _nothing() -> None:
    pass


def _recorded(use_case: Callable[[], Any]) -> tuple[Any, list[Row]]:
    """What it returns, and the rows that this was made of."""
    rows: list[Row] = []
    read = Reader.rows

    def record(*args: Any, **parameters: Any) -> list[Row]:
        rows[:] = read(*args, **parameters)
        return rows

    with patch.object(Reader, "rows", record):
        return use_case(), rows


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=Config("").get_loop_factory()) as runner:
        print(json.dumps(runner.run(_measured())))  # noqa: T201  # for the process that started this one
