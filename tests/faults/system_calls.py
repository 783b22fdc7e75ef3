"""System calls of a process, watched or made to fail."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def traced(process: int, *options: str) -> Iterator[None]:
    """Attach strace to this process and its threads, with these options."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    command = [strace, "-f", *options, "-p", str(process)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        assert tracer.stderr is not None
        said = tracer.stderr.readline()
        if "attached" not in said:
            pytest.skip(f"strace is refused: {said.strip()}")
        try:
            yield
        finally:
            tracer.terminate()
