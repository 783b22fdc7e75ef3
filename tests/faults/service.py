"""``belongings serve``, as a process that may be killed and started again."""

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from tests.own_servers import wait_for_end

_COMMAND = "from entrypoints.cli import app; app()"
_PATIENCE = 60.0


class Service:
    """Runs within the block, in a folder of its own.

    :ivar url: where it listens at the moment: after a start, somewhere else.
    :param arguments: further ones of ``belongings serve``, such as ``--workers``.
    :param before: a command that it is run by, such as ``strace``.
    :param settings: environment variables, such as ``DATABASE_URL``.
    """

    url: str

    def __init__(self, folder: Path, *arguments: str, before: tuple[str, ...] = (), **settings: str) -> None:
        self.folder = folder
        self.log = folder / "log"
        self._command = [*before, sys.executable, "-c", _COMMAND, "serve", "--port", "0", *arguments]
        bare = {name: value for name, value in os.environ.items() if "BELONGINGS" not in name}
        self._environment = bare | {"DATABASE_URL": "sqlite:///belongings.db"} | settings

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
        return psutil.Process(self._process.pid)

    @property
    def workers(self) -> list[psutil.Process]:
        """The processes that serve; one of its own where there is but one."""
        spawned = [each for each in self.process.children() if "spawn_main" in " ".join(each.cmdline())]
        return spawned or [self.process]

    def start(self) -> None:
        """Return when it listens. What it logs is added to ``log``."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self.folder,
                env=self._environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        self._process.stdout.close()
        found = re.search(r"https?://\S+", line)
        assert found, self.log.read_text()[-2000:]
        self.url = found[0]

    def stop(self) -> int:
        """Ask it to end, as a service manager does; its exit status."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(_PATIENCE)

    def kill_worker(self) -> None:
        """``kill -9`` for one process that serves; where there is but one that is the service."""
        with suppress(psutil.NoSuchProcess):
            self.workers[0].kill()

    def kill(self) -> None:
        """``kill -9`` for all its processes at once."""
        group = [each for each in psutil.process_iter() if _group(each) == self._process.pid]
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(_PATIENCE)
        wait_for_end(group)


def _group(process: psutil.Process) -> int | None:
    try:
        return os.getpgid(process.pid)
    except ProcessLookupError:
        return None
