"""Clients that write whatever happens, and remember what they were promised."""

import json
import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from itertools import count
from threading import Condition, Event, Thread
from time import monotonic, sleep
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

_PATIENCE = 120.0
_PAUSE = 0.1
"""Seconds after which a client that was not served comes again."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one request: ``status`` is None if nothing came."""

    at: float
    status: int | None
    took: float


@dataclass(slots=True)
class Promises:
    """What was sent and what was acknowledged, by the title of an item or the address of a user.

    :ivar kept: acknowledged, each with the id that it was given.
    :ivar repeated: sent under an ``Idempotency-Key``, as often as it took to have it acknowledged.
    :ivar once: sent a single time, acknowledged or not.
    :ivar refused: sent a single time, and answered that nothing was changed.
    :ivar batches: what was sent together.
    """

    kept: dict[str, int] = field(default_factory=dict)
    repeated: set[str] = field(default_factory=set)
    once: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    batches: list[list[str]] = field(default_factory=list)


class Writers:
    """Write within the block, each one thing after the other, and have ended when it ends.

    :param url: says where the service listens at the moment.
    :param users: whether one write in twelve is a sign-up, which takes a processor for a while.
    :param description: of every item.
    """

    def __init__(
        self, url: Callable[[], str], *, clients: int, seed: int, users: bool = True, description: str = ""
    ) -> None:
        self.promises = Promises()
        self.answers: list[Answer] = []
        self.acknowledged = 0
        self._url = url
        self._users = users
        self._description = description
        self._seed = seed
        self._more = Condition()
        self._end = Event()
        self._broken: list[BaseException] = []
        self._threads = [Thread(target=self._client, args=[f"{seed}-{n}"], daemon=True) for n in range(clients)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        if error is None:
            for thread in self._threads:
                thread.join(_PATIENCE)
                assert not thread.is_alive(), "a client waits for an answer"
            assert self._broken == []

    @property
    def statuses(self) -> Counter[int | None]:
        """How often there was which answer; None counts the lost ones."""
        return Counter(answer.status for answer in self.answers)

    def wait_for(self, acknowledged: int) -> None:
        """Return when that many writes were acknowledged, all in all."""
        with self._more:
            assert self._more.wait_for(lambda: self.acknowledged >= acknowledged or self._broken, _PATIENCE)
            assert self._broken == []

    def _client(self, name: str) -> None:
        try:
            _Client(self, name).run()
        except BaseException as error:  # noqa: BLE001  # whoever waits for us is to see it
            self._broken.append(error)

    def _acknowledge(self, given: dict[str, int]) -> None:
        with self._more:
            self.promises.kept |= given
            self.acknowledged += 1
            self._more.notify_all()


class _Client:
    """One of them, with a connection that it keeps while it can."""

    def __init__(self, writers: Writers, name: str) -> None:
        self._writers = writers
        self._name = name
        self._random = random.Random(name)
        self._owners: list[int] = []
        self._connection: HTTPConnection | None = None
        self._connected_to = ""

    def run(self) -> None:
        for n in count():
            if self._writers._end.is_set():
                break
            self._write(f"{self._name}-{n}")
        self._disconnect()

    def _write(self, name: str) -> None:
        path, body, names = self._something(name)
        keyed = self._random.random() < 0.5
        promises = self._writers.promises
        (promises.repeated if keyed else promises.once).update(names)
        headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": name} if keyed else {})
        while True:
            status, answer = self._post(path, body, headers)
            if status == 200:
                made = answer if isinstance(answer, list) else [answer]
                self._writers._acknowledge({name: each["id"] for name, each in zip(names, made, strict=True)})
                if path == "/users/":
                    self._owners.append(answer["id"])
                return
            if not keyed:
                if status is not None and not answer["type"].endswith(":outcome-unknown"):
                    promises.refused.update(names)
                sleep(_PAUSE)
                return
            sleep(_PAUSE)

    def _something(self, name: str) -> tuple[str, object, list[str]]:
        """A path to post to, a body, and what is in it."""
        kind = self._random.randrange(12)
        description = self._writers._description
        if kind == 0 and self._writers._users:
            email = f"{name}@example.com"
            return "/users/", {"email": email, "password": "correct horse"}, [email]
        if kind == 1:
            names = [f"{name}-{n}" for n in range(5)]
            self._writers.promises.batches.append(names)
            return "/items/batch", [{"title": each, "description": description} for each in names], names
        item = {"title": name, "price": 1.5, "description": description}
        if kind == 2 and self._owners:
            return f"/users/{self._random.choice(self._owners)}/items/", item, [name]
        return "/items/", item, [name]

    def _post(self, path: str, body: object, headers: dict[str, str]) -> tuple[int | None, Any]:
        begun = monotonic()
        status, answer = None, None
        try:
            connection = self._connect()
            connection.request("POST", path, json.dumps(body), headers)
            response = connection.getresponse()
            content = response.read()
            status, answer = response.status, json.loads(content)
        except (OSError, HTTPException):
            self._disconnect()
        now = monotonic()
        self._writers.answers.append(Answer(now, status, now - begun))
        return status, answer

    def _connect(self) -> HTTPConnection:
        url = self._writers._url()
        if self._connection is None or url != self._connected_to:
            self._disconnect()
            self._connected_to = url
            self._connection = HTTPConnection(urlsplit(url).netloc, timeout=_PATIENCE / 4)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(OSError):
                self._connection.close()
            self._connection = None
