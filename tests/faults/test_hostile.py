"""Requests that were made to hurt: none is answered with a fault of the service, none is repeated to anybody."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from httpx2 import Client

from tests.faults.hostile import SECRET, Hostile, corpus
from tests.faults.service import Service

Figure = Callable[[object], None]

AT_ONCE = 32
OF_HTTP = {400, 408, 413, 431, 501, 505}
"""Statuses of what did not get as far as an operation."""

OF_NO_OPERATION = {200, 204, 304, 307, 403, 404, 405, 409, 412, 415, 421, 422}
"""Further ones, of requests that may have become other ones on the way."""

_ANSWER = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r\n]*\r\n")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """On a file; it does not wait for what is not going to come, and waits for whatever others keep it from."""
    settings: dict[str, Any] = {f"BELONGINGS_{name}_WAIT": "0.5" for name in ("HEAD", "BODY")}
    timeouts: dict[str, Any] = {f"BELONGINGS_{name}": "60" for name in ("DEADLINE", "POOL_WAIT", "STATEMENT_WAIT")}
    with Service(tmp_path, **settings, **timeouts) as service:
        yield service


def attack(service: Service, requests: list[Hostile]) -> tuple[Counter[int], list[str]]:
    """Send all; how many answers of each status there were, and what is wrong with which."""
    with Client(base_url=service.url, timeout=60) as client:
        for n in range(3):
            user = {"email": f"{n}@example.com", "password": "correct horse"}
            client.post("/users/", json=user).raise_for_status()
        documented = _documented(client.get("/openapi.json").json())
    statuses: Counter[int] = Counter()
    wrong: list[str] = []
    left = iter(requests)
    parts = urlsplit(service.url)

    async def work() -> None:
        for request in left:
            said = await _say(str(parts.hostname), int(parts.port or 0), request.sent)
            allowed = documented[request.operation] if request.operation else OF_NO_OPERATION
            given = [int(status) for status in _ANSWER.findall(said)]
            statuses.update(given or [0])
            for complaint in _complaints(said, given, allowed | OF_HTTP):
                wrong.append(f"{complaint}: {request.sent[:300]!r} … {said[:500]!r}")

    async def main() -> None:
        await asyncio.gather(*(work() for _ in range(AT_ONCE)))

    asyncio.run(main())
    with Client(base_url=service.url, timeout=60) as client:
        client.get("/health/ready").raise_for_status()
    return statuses, wrong


def _documented(openapi: dict[str, Any]) -> dict[tuple[str, str], set[int]]:
    """The statuses of each operation but those that say that the service has failed."""
    return {
        (method.upper(), path): {int(status) for status in operation["responses"] if status < "500"}
        for path, operations in openapi["paths"].items()
        for method, operation in operations.items()
    }


async def _say(host: str, port: int, sent: bytes) -> bytes:
    """All that is said to these bytes until the service closes the connection, which must be within a minute."""
    reader, writer = await asyncio.open_connection(host, port)
    said = b""
    try:
        async with asyncio.timeout(60):
            writer.write(sent)
            while piece := await reader.read(65_536):
                said += piece
    except ConnectionError:
        pass
    finally:
        writer.close()
    return said


def _complaints(said: bytes, given: list[int], allowed: set[int]) -> Iterator[str]:
    if not given and said:  # a connection that is closed upon what nobody has read yet may lose the answer
        yield "this is no answer"
    if len(given) > 1:
        yield "more than one answer"
    if unexpected := set(given) - allowed:
        yield f"undocumented {unexpected}"
    if SECRET.encode() in said and set(given) != {200}:
        yield "repeats what was sent"
    if b"injected" in said.lower():
        yield "takes a header from the client"
    if given and given[0] >= 400:
        head, _, body = said.partition(b"\r\n\r\n")
        if b"\r\ncontent-type: application/problem+json" not in head:
            yield "no problem"
        elif body and json.loads(body)["status"] != given[0]:
            yield "another problem"


def judge(service: Service, requests: list[Hostile], figure: Figure) -> None:
    statuses, wrong = attack(service, requests)
    figure(f"{len(requests)} requests, {statuses[0]} without an answer, {dict(sorted(statuses.items()))}")
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong[:20])
    log = service.log.read_text()
    assert SECRET not in log
    assert "Traceback" not in log
    assert " ERROR " not in log


def test_350_hostile_requests_are_answered_as_documented(service: Service, figure: Figure) -> None:
    judge(service, corpus(350, seed=1), figure)


@pytest.mark.long
def test_60000_hostile_requests_are_answered_as_documented(service: Service, figure: Figure) -> None:
    judge(service, corpus(60_000, seed=2), figure)
