"""What pages cost as data grow."""

import json
import re
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection
from math import nan
from urllib.parse import parse_qsl, urlencode, urlsplit

from benchmarks.contestants import BELONGINGS
from benchmarks.data import Copies
from benchmarks.load import CONNECTIONS, load, warm_up
from benchmarks.markdown import filled_in, number, strong, table
from benchmarks.medians import middle, ratio
from benchmarks.rows import ITEMS_EACH
from benchmarks.scenarios import Scenario, WrongAnswer
from benchmarks.servers import Cores, Server, running

SIZES = (1_000, 30_000, 1_000_000)
"""In items. Any more take longer to fill than all else here."""

_LIST = "/items/"
_SORTS = ("id", "-id", "title", "-title", "price", "-price")
_FIRST, _LAST = "first page", "last page"

_PAGE = 100
_ROUNDS = 5
_SECONDS = 1

_TEXT = """## Growing data

Only Belongings, with <sizes> items, <each> per user. Measured are the first page of 100 rows and the last one, which
is reached by its `Link`. The time per row is the time per response, from the rate with <connections> clients, divided
by 100. The sizes took turns, <rounds> times for <seconds> s each. Ratios compare with <least> items, measured right
before; figures and ratios are medians. Memory is the resident size at the end.
"""

_SORTED_TEXT = """### Every sort

The first and the last page of <most> items with each sort, µs per row, measured in the same way.
"""


@dataclass(slots=True)
class Growth:
    """µs a row in each round: of a page, by size, and of the largest list, by sort and page; and MiB at the end."""

    spent: dict[tuple[str, int], list[float]] = field(default_factory=dict)
    sorted: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    memory: dict[int, float] = field(default_factory=dict)


def measure(kind: str, copies: Copies, cores: Cores, rounds: int, note: Callable[[str], object]) -> Growth:
    """Load a server for each size in turn.

    :raises WrongAnswer: a page is not as full as it must be.
    """
    growth = Growth()
    with ExitStack() as stack:
        servers: dict[int, tuple[Server, list[Scenario]]] = {}
        for size in SIZES:
            url = stack.enter_context(copies.filled(size // ITEMS_EACH))
            server = stack.enter_context(running(BELONGINGS, url, cores))
            servers[size] = server, _pages(server.port, size)
            if size == max(SIZES):
                ends = {sort: _pages(server.port, size, sort=sort) for sort in _SORTS}
            note(f"{kind}: filled with {size:,} items")
        for round in range(min(rounds, _ROUNDS)):
            for same in zip(*(pages for _, pages in servers.values()), strict=True):
                for (size, (server, _)), page in zip(servers.items(), same, strict=True):
                    spent = _spent(page, server.port, warm=round > 0)
                    growth.spent.setdefault((page.title, size), []).append(spent)
                    note(f"{kind}, round {round + 1}: {size:,} items: {page.title}: {spent:.1f} µs a row")
            for sort, pages in ends.items():
                for page in pages:
                    spent = _spent(page, servers[max(SIZES)][0].port, warm=round > 0)
                    growth.sorted.setdefault((sort, page.title), []).append(spent)
                    note(f"{kind}, round {round + 1}: by {sort}: {page.title}: {spent:.1f} µs a row")
        for size, (server, _) in servers.items():
            growth.memory[size] = server.memory()
    return growth


def _spent(page: Scenario, port: int, *, warm: bool) -> float:
    if not warm:
        warm_up(page, port)
    result = load(page, port, _SECONDS)
    return nan if result.failed else ratio(1e6, result.rate * _PAGE)


def _pages(port: int, size: int, **query: str) -> list[Scenario]:
    """The first and the last one."""
    path = _with(_LIST, **query)
    _, last = _ask(port, _with(path, skip=size - _PAGE - 1, limit=1))
    found = []
    for which, page in ((_FIRST, path), (_LAST, _with(last or path, limit=_PAGE))):
        rows, following = _ask(port, page)
        if rows != _PAGE or bool(following) is (which == _LAST):
            raise WrongAnswer(f"{page}: {rows} rows are not the {which} of {size:,} items")
        found.append(Scenario(which, page))
    return found


def _ask(port: int, path: str) -> tuple[int, str | None]:
    """How many rows a page has, and the path of the next one, if any."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path)
    answer = connection.getresponse()
    status, body, link = answer.status, answer.read(), answer.headers.get("Link", "")
    connection.close()
    if status != HTTPStatus.OK:
        raise WrongAnswer(f"{path}: {status} {body.decode()[:200]}")
    found = re.search(r'<([^>]+)>; rel="next"', link)
    return len(json.loads(body)), found and found[1]


def _with(path: str, **query: str | int) -> str:
    split = urlsplit(path)
    return f"{split.path}?{urlencode({**dict(parse_qsl(split.query)), **query})}"


def section(grown: Mapping[str, Growth]) -> str:
    """Of the page.

    :param grown: by the title of a database.
    """
    least, *others = SIZES
    rows = [["", f"{least:,} items", *(cell for size in others for cell in (f"{size:,}", "times"))]]
    for database, growth in grown.items():
        for title in dict.fromkeys(title for title, _ in growth.spent):
            spent = [growth.spent[title, size] for size in SIZES]
            rows.append([f"{database}: {title}, µs per row", *_columns(spent, ",.1f")])
        rows.append([f"{database}: memory, MiB", *_columns([[growth.memory[size]] for size in SIZES], ",.0f")])
    text = filled_in(
        _TEXT,
        sizes=" / ".join(f"{size:,}" for size in SIZES),
        least=f"{least:,}",
        each=ITEMS_EACH,
        connections=CONNECTIONS,
        rounds=max(len(turns) for growth in grown.values() for turns in growth.spent.values()),
        seconds=_SECONDS,
    )
    by_sort = filled_in(_SORTED_TEXT, most=f"{max(SIZES):,}")
    return f"{text}\n{table(rows)}\n{by_sort}\n{table(_by_sort(grown))}"


def _by_sort(grown: Mapping[str, Growth]) -> list[list[str]]:
    rows = [["", "sort", _FIRST, _LAST, "times"]]
    for database, growth in grown.items():
        for sort in _SORTS:
            turns = [growth.sorted[sort, page] for page in (_FIRST, _LAST)]
            rows.append([database, f"`{sort}`", *_columns(turns, ",.1f")])
    return rows


def _columns(turns: list[list[float]], form: str) -> list[str]:
    """What was measured in each turn of several, and how many times that of the first it was."""
    least, *others = turns
    columns = [number(middle(least), form)]
    for values in others:
        times = middle(map(ratio, values, least))
        columns += [number(middle(values), form), strong(number(times, ".2f", " ×"))]
    return columns
