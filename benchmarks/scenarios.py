"""What is asked of every contestant, and what it must answer."""

import json
from dataclasses import dataclass, replace
from http import HTTPStatus
from http.client import HTTPConnection
from operator import itemgetter
from typing import Any

from benchmarks.contestants import BELONGINGS, NO_OP, TUTORIAL, Contestant
from benchmarks.rows import ITEMS_EACH, USERS, item, user

_LAST = USERS - 100
"""Users up to this one are read, those behind it get new items: what is read stays as it is."""

_NEW = {"title": "New thing", "description": "Bought a moment ago", "price": 12.5}


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of request; ``{id}`` in ``path`` is a user, another one each time, from ``first`` to ``last``.

    :param least_seconds: for how long it is loaded at least: an answer of the slowest may take two seconds.
    :param beside_writer: whether a further client creates items meanwhile, without pause.
    """

    title: str
    path: str
    first: int = 1
    last: int = 1
    body: str = ""
    least_seconds: int = 1
    beside_writer: bool = False

    @property
    def method(self) -> str:
        return "POST" if self.body else "GET"

    def request(self, id: int) -> bytes:
        """All of it, as it is sent."""
        head = f"{self.method} {self.path.replace('{id}', str(id))} HTTP/1.1\r\nHost: localhost\r\n"
        if self.body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(self.body)}\r\n"
        return f"{head}\r\n{self.body}".encode()


NOTHING = Scenario("nothing", "/")
USER = Scenario("a user with 10 items", "/users/{id}", last=_LAST)
ITEMS = Scenario("a list of 100 items", "/items/")
USERS_LIST = Scenario("a list of 100 users with their items", "/users/", least_seconds=3)
CREATE = Scenario("create an item", "/users/{id}/items/", _LAST + 1, USERS, json.dumps(_NEW))

SCENARIOS = (USER, ITEMS, USERS_LIST, CREATE)
BESIDE_WRITER = {scenario: replace(scenario, beside_writer=True) for scenario in (USER, ITEMS)}
"""What is also measured of Belongings while a further client writes."""


class WrongAnswer(Exception):
    """A contestant does not do what is measured."""


def scenarios_for(contestant: Contestant) -> tuple[Scenario, ...]:
    """In the order in which they are measured."""
    if contestant is NO_OP:
        return (NOTHING,)
    return (*SCENARIOS, *BESIDE_WRITER.values()) if contestant is BELONGINGS else SCENARIOS


def check(contestant: Contestant, port: int) -> int:
    """Ask everything once and compare the answers with the data; return how many items that has created.

    :raises WrongAnswer: one is not as it must be.
    """
    if contestant is NO_OP:
        _expect(contestant, port, NOTHING, 1, {})
        return 0
    for id in (1, _LAST):
        _expect(contestant, port, USER, id, user(id))
    _expect(contestant, port, ITEMS, 1, [item(id) for id in range(1, 101)])
    _expect(contestant, port, USERS_LIST, 1, [user(id) for id in range(1, 101)])
    new = {**_NEW, "id": USERS * ITEMS_EACH + 1, "owner_id": USERS}
    _expect(contestant, port, CREATE, USERS, new)
    owner = user(USERS)
    _expect(contestant, port, USER, USERS, {**owner, "items": [*owner["items"], new]})
    return 1


def _expect(contestant: Contestant, port: int, scenario: Scenario, id: int, expected: Any) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Content-Type": "application/json"} if scenario.body else {}
    connection.request(scenario.method, scenario.path.replace("{id}", str(id)), scenario.body or None, headers)
    answer = connection.getresponse()
    status, body = answer.status, answer.read()
    connection.close()
    received = json.loads(body) if status == HTTPStatus.OK else None
    if contestant is TUTORIAL:
        expected, received = _as_in_tutorial(expected), _as_in_tutorial(received)
    if received != expected:
        raise WrongAnswer(f"{contestant.name}: {scenario.method} {scenario.path}: {status} {body.decode()[:200]}")


def _as_in_tutorial(content: Any) -> Any:
    """Without prices, and in id order: the tutorial's own order is the database's choice."""
    if isinstance(content, list):
        return sorted((_as_in_tutorial(each) for each in content), key=itemgetter("id"))
    if isinstance(content, dict):
        return {name: _as_in_tutorial(value) for name, value in content.items() if name != "price"}
    return content
