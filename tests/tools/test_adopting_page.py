"""The session in docs/adopting.md, run as it stands there: from this checkout to a service that serves heroes."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import pytest
from httpx2 import Client, TransportError

TOP = Path(__file__).parents[2]
PAGE = (TOP / "docs/adopting.md").read_text()
COMMANDS = [
    line for block in re.findall(r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE) for line in block.splitlines()
]
REQUESTS = re.findall(r"^\$ (curl .*)\n(.*)$", PAGE, re.MULTILINE)
TIMEOUT = 170.0


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """This code as it is now, committed."""
    folder = tmp_path / "belongings"
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    for path in subprocess.run(listed, cwd=TOP, capture_output=True, text=True, check=True).stdout.split("\0"):
        if (TOP / path).is_file():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(TOP / path, folder / path)
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message=All of it"]):
        subprocess.run(["git", *command], cwd=folder, env=terminal(), check=True)
    return folder


def terminal() -> dict[str, str]:
    """The variables of a terminal in which nothing of this test run is set, its virtual environment included."""
    ours = re.compile("PYTEST|COV_|COVERAGE|VIRTUAL_ENV|DATABASE_URL|GIT_|PYTHON|UV_RUN|BELONGINGS_|ARMORY_")
    kept = {name: value for name, value in os.environ.items() if not ours.match(name)}
    here = str(Path(sys.executable).parent)
    kept["PATH"] = os.pathsep.join(folder for folder in kept["PATH"].split(os.pathsep) if folder != here)
    for who in ("AUTHOR", "COMMITTER"):
        kept |= {f"GIT_{who}_NAME": "Rick", f"GIT_{who}_EMAIL": "rick@example.com"}
    return kept


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


@contextmanager
def running(script: list[str], folder: Path, port: int) -> Iterator[Client]:
    """Run a session whose last command serves."""
    output = folder.parent / "output"
    with output.open("w") as file, Client(base_url=f"http://127.0.0.1:{port}") as client:
        session = subprocess.Popen(
            ["/bin/sh", "-e", "-c", "\n".join(script)],
            cwd=folder,
            env=terminal() | {"ARMORY_PORT": str(port)},
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            end = monotonic() + TIMEOUT
            while not is_up(client):
                assert session.poll() is None, output.read_text()
                assert monotonic() < end, output.read_text()
                sleep(0.2)
            yield client
        finally:
            if session.poll() is None:
                os.killpg(session.pid, signal.SIGTERM)
            session.wait(30)


def is_up(client: Client) -> bool:
    try:
        return client.get("/health/ready").status_code == 200
    except TransportError:
        return False


def test_the_commands_lead_to_a_service_of_heroes(checkout: Path) -> None:
    assert COMMANDS[-1].endswith("armory serve")
    assert len(REQUESTS) >= 7
    port = free_port()
    with running(COMMANDS, checkout, port) as client:
        for command, expected in REQUESTS:
            here = command.replace(":8000", f":{port}").replace("curl", "curl --silent --noproxy '*'", 1)
            answer = subprocess.run(["/bin/sh", "-c", here], capture_output=True, text=True, check=True).stdout
            assert answer == expected, command
        gone = client.get("/heroes/1")
        assert (gone.status_code, gone.json()["detail"]) == (404, "Hero not found")
        assert gone.json()["type"] == "urn:problem-type:armory:hero-not-found"
    armory = checkout.parent / "armory"
    assert (armory / "armory.db").exists()
    status = subprocess.run(["git", "status", "--porcelain"], cwd=armory, capture_output=True, text=True, check=True)
    assert status.stdout == ""


@pytest.mark.long
def test_the_new_service_passes_its_own_checks_on_all_databases(checkout: Path) -> None:
    script = "\n".join([*COMMANDS[:-1], ".ci/run"])
    result = subprocess.run(
        ["/bin/sh", "-e", "-c", script], cwd=checkout, env=terminal(), capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout[-5_000:] + result.stderr[-5_000:]
