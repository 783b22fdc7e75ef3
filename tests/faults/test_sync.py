"""On SQLite what is acknowledged is on the disk, as the system calls of the service show.

A killed process loses nothing that it gave to the operating system; a power failure would. So the kills
of ``test_kills.py`` cannot tell, and this can.
"""

import json
import re
from pathlib import Path
from urllib.request import Request, urlopen

from tests.faults.conftest import Belongings, Figure
from tests.faults.system_calls import traced

REQUESTS = 20
CALLS = "trace=fsync,fdatasync,pwrite64,write,writev,sendto,sendmsg"
CALL = re.compile(r"^(?P<thread>\d+) +(?:(?P<name>\w+)\((?P<what>.*)|<\.\.\. (?P<resumed>\w+) resumed>(?P<rest>.*))$")


def calls(trace: str) -> list[tuple[str, str]]:
    """Each call that ended, in the order of their ends: its name, and its arguments with its result."""
    ended: list[tuple[str, str]] = []
    begun: dict[str, str] = {}
    for line in trace.splitlines():
        if not (call := CALL.match(line)):
            continue
        if call["name"] and line.endswith("<unfinished ...>"):
            begun[call["thread"]] = call["what"]
        elif call["name"]:
            ended.append((call["name"], call["what"]))
        else:
            ended.append((call["resumed"], begun.pop(call["thread"], "") + call["rest"]))
    return ended


def test_every_acknowledged_write_is_synced_to_the_disk_before_its_answer_leaves_on_sqlite(
    belongings: Belongings, tmp_path: Path, figure: Figure
) -> None:
    service = belongings()
    options = ["-y", "-s", "16", "-e", CALLS, "-o", str(tmp_path / "trace")]
    with traced(service.process.pid, *options):
        for n in range(REQUESTS):
            body = json.dumps({"title": f"Towel {n}"}).encode()
            asked = Request(f"{service.url}/items/", body, {"Content-Type": "application/json"})
            with urlopen(asked, timeout=60) as answer:
                assert answer.status == 200
        service.kill()
    answers, written, synced = 0, 0, 0
    for name, what in calls((tmp_path / "trace").read_text()):
        if name == "pwrite64" and "belongings.db-wal>" in what:
            written, synced = written + 1, 0
        elif name in ("fsync", "fdatasync") and "belongings.db-wal>" in what and what.endswith("= 0"):
            synced += 1
        elif '"HTTP/1.1 200 ' in what:
            assert written, f"answer {answers} left before anything was written"
            assert synced, f"answer {answers} left before what was written was synced"
            answers, written, synced = answers + 1, 0, 0
    assert answers == REQUESTS
    figure(f"{answers} of {REQUESTS} answers left after the write-ahead log was written and synced")
