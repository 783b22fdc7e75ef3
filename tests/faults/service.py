"""``belongings serve``, as a process that may be killed and started again."""

import os
import re
import signal
import sys
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Self
from unittest.mock import patch

import psutil

from tests.own_servers import wait_for_end

_PATIENCE = 60.0

HOSTS = {"BELONGINGS_HOSTS": "a x belongings"}
"""By these names it is called in requests that are written by hand."""

_forks = get_context("forkserver")
"""Of a process that has loaded everything already: that takes longer than all else that a start does."""

_LOADED = [
    "adapters.sql.operations.migrations",
    "entrypoints.api.app",
    "entrypoints.cli",
    "entrypoints.container",
    "entrypoints.server.serving",
    "psycopg",
    "pymysql",
    "uvicorn.lifespan.on",
    "uvicorn.loops.uvloop",
    "uvicorn.protocols.http.httptools_impl",
    "uvicorn.protocols.websockets.websockets_impl",
]


def _serve(folder: Path, arguments: list[str], environment: dict[str, str], printed: Connection) -> None:
    """What ``belongings serve`` does, once it is loaded."""
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    with (folder / "log").open("ab") as log:
        os.dup2(log.fileno(), 2)
    os.dup2(printed.fileno(), 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.stdin = os.fdopen(0, closefd=False)  # which workers inherit by its number
    printed.close()
    from entrypoints.cli import app

    app(["serve", "--port", "0", *arguments])


class Service:
    """Runs within the block, in a folder of its own.

    :ivar url: where it listens at the moment: after a start, somewhere else.
    :param arguments: further ones of ``belongings serve``, such as ``--workers``.
    :param settings: environment variables, such as ``DATABASE_URL``.
    """

    url: str

    def __init__(self, folder: Path, *arguments: str, **settings: str) -> None:
        self.folder = folder
        self.log = folder / "log"
        self._arguments = list(arguments)
        bare = {name: value for name, value in os.environ.items() if "BELONGINGS" not in name}
        self._environment = bare | {"DATABASE_URL": "sqlite:///belongings.db"} | HOSTS | settings

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def process(self) -> psutil.Process:
        """What was started last: the one process that serves, or the one that watches over the workers."""
        return psutil.Process(self._pid)

    @property
    def _pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def workers(self) -> list[psutil.Process]:
        """The processes that serve; one of its own where there is but one."""
        spawned = [each for each in self.process.children() if "spawn_main" in " ".join(each.cmdline())]
        return spawned or [self.process]

    def start(self) -> None:
        """Return when it listens. What it logs is added to ``log``."""
        prints, printed = _forks.Pipe(duplex=False)
        _forks.set_forkserver_preload(_LOADED)
        with patch.dict(sys.modules, __main__=ModuleType("__main__")):  # or it would load what runs the tests
            self._process = _forks.Process(
                target=_serve, args=(self.folder, self._arguments, self._environment, printed), daemon=False
            )
            self._process.start()
        printed.close()
        with os.fdopen(os.dup(prints.fileno())) as lines:
            line = lines.readline()
        prints.close()
        found = re.search(r"https?://\S+", line)
        assert found, self.log.read_text()[-2000:]
        self.url = found[0]

    def stop(self, sent: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end, as a service manager does; its exit status."""
        os.kill(self._pid, sent)
        return self.wait()

    def wait(self) -> int:
        """Wait for its end; its exit status."""
        self._process.join(_PATIENCE)
        assert self._process.exitcode is not None, "the service does not end"
        return self._process.exitcode

    def kill_worker(self) -> None:
        """``kill -9`` for one process that serves; where there is but one that is the service."""
        with suppress(psutil.NoSuchProcess):
            self.workers[0].kill()

    def kill(self) -> None:
        """``kill -9`` for all its processes at once."""
        group = [each for each in psutil.process_iter() if _group(each) == self._pid]
        if group:
            os.killpg(self._pid, signal.SIGKILL)
        self.wait()
        wait_for_end(group)


def _group(process: psutil.Process) -> int | None:
    try:
        return os.getpgid(process.pid)
    except ProcessLookupError:
        return None
