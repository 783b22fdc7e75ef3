"""What becomes of lines that are written in the background, whether or not somebody reads them."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from entrypoints.background_writer import LIMIT, BackgroundWriter

FAR_TOO_MANY = LIMIT // 1000 + 500
"""Lines of a kilobyte each; a pipe itself keeps some 64 of them."""


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)
    os.close(writing)


def describe(count: int) -> str:
    return f"{count} dropped"


def line(number: int) -> bytes:
    return b"%d %s\n" % (number, b"x" * 1000)


def read_in_background(reading: int) -> tuple[bytearray, Thread]:
    """What comes from now on, up to a line ``end``."""
    read = bytearray()

    def work() -> None:
        while not read.endswith(b"end\n"):
            read.extend(os.read(reading, 2**20))

    thread = Thread(target=work, daemon=True)
    thread.start()
    return read, thread


def test_lines_stay_in_order(pipe: tuple[int, int]) -> None:
    writer = BackgroundWriter(pipe[1], describe)
    read, reading = read_in_background(pipe[0])
    lines = [line(number) for number in range(1000)]
    for each in (*lines, b"end\n"):
        writer.write(each)
    reading.join(60)
    assert bytes(read) == b"".join(lines) + b"end\n"
    assert writer.drain(60)
    assert writer.dropped == 0


def test_nobody_waits_for_a_reader_and_a_line_says_how_many_were_dropped(pipe: tuple[int, int]) -> None:
    writer = BackgroundWriter(pipe[1], describe)
    for number in range(FAR_TOO_MANY):
        writer.write(line(number))
    assert not writer.drain(0.1)
    dropped = writer.dropped
    assert 0 < dropped < FAR_TOO_MANY
    read, reading = read_in_background(pipe[0])
    assert writer.drain(60)
    writer.write(b"end\n")
    reading.join(60)
    numbers = [each.partition(b" ")[0] for each in read.splitlines()]
    kept = FAR_TOO_MANY - dropped
    assert numbers == [*(b"%d" % number for number in range(kept)), b"%d" % dropped, b"end"]
    assert b"\n%d dropped\nend\n" % dropped in read
    assert writer.dropped == dropped


def test_a_file_that_cannot_be_written_is_no_reason_to_fail() -> None:
    with Path("/dev/full").open("wb") as full:
        writer = BackgroundWriter(full.fileno(), describe)
        for _ in range(2):
            writer.write(b"a\nb\n")
            assert writer.drain(60)
        assert writer.dropped >= 4


def test_a_pipe_that_does_not_block_is_waited_for(pipe: tuple[int, int]) -> None:
    os.set_blocking(pipe[1], False)
    writer = BackgroundWriter(pipe[1], describe)
    lines = [line(number) for number in range(200)]
    for each in lines:
        writer.write(each)
    assert not writer.drain(0.1)
    read, reading = read_in_background(pipe[0])
    writer.write(b"end\n")
    reading.join(60)
    assert bytes(read) == b"".join(lines) + b"end\n"


def run(program: str) -> str:
    """What this program writes to standard error."""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    return ended.stderr


def test_whatever_a_process_says_last_is_written_before_it_ends() -> None:
    said = run(
        "import logging, sys, warnings\n"
        "from entrypoints.logging import configure\n"
        "configure('text')\n"
        "configure('json')\n"
        "logging.getLogger('belongings').info('logged')\n"
        "warnings.warn('warned')\n"
        "raise ValueError('raised')\n"
    )
    assert re.search(r"INFO logged\n.*UserWarning: warned\n.*ValueError: raised\n$", said, re.DOTALL)


def test_a_process_that_was_forked_writes_its_own_lines() -> None:
    said = run(
        "import os, sys\n"
        "from entrypoints.logging import configure\n"
        "configure('text')\n"
        "print('before', file=sys.stderr)\n"
        "child = os.fork()\n"
        "if child:\n"
        "    os.waitpid(child, 0)\n"
        "print('parent' if child else 'child', file=sys.stderr)\n"
    )
    assert sorted(said.splitlines()) == ["before", "child", "parent"]
