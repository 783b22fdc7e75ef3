"""A service of one's own, made from this code."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.test_documentation import leads_somewhere
from tools.adopt import EDITS, ELSEWHERE, LEFT_OUT, LONGEST, CannotAdopt, Name, adopt, edited

TOP = Path(__file__).parents[2]
NAMES = ["Armory", "Customer Relations 2"]


def run(folder: Path, *command: str) -> str:
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def uv(folder: Path, *arguments: str) -> str:
    """Run uv, which is where `uv run` says or a package of the Python outside of the environment."""
    found = os.environ.get("UV") or shutil.which("uv")
    return run(folder, *([found] if found else ["python3", "-m", "uv"]), *arguments)


def commit(folder: Path) -> None:
    run(folder, "git", "add", "--all")
    run(folder, "git", "commit", "--quiet", "--message=All of it")


@pytest.fixture(scope="module", autouse=True)
def author() -> Iterator[None]:
    """Whom Git names in commits, also where nobody has told it."""
    with pytest.MonkeyPatch.context() as patch:
        for who in ("AUTHOR", "COMMITTER"):
            patch.setenv(f"GIT_{who}_NAME", "Rick")
            patch.setenv(f"GIT_{who}_EMAIL", "rick@example.com")
        for name in ELSEWHERE:
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This code as it is now, committed."""
    folder = tmp_path_factory.mktemp("checkout") / "belongings"
    for path in run(TOP, "git", "ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0"):
        if (TOP / path).is_file():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(TOP / path, folder / path)
    run(folder, "git", "init", "--quiet")
    commit(folder)
    return folder


@pytest.fixture(scope="module", params=NAMES)
def name(request: pytest.FixtureRequest) -> Name:
    return Name(str(request.param))


@pytest.fixture(scope="module")
def adopted(checkout: Path, name: Name, tmp_path_factory: pytest.TempPathFactory) -> Path:
    destination = tmp_path_factory.mktemp("adopted") / name.command
    adopt(checkout, destination, name.title)
    return destination


def tracked(folder: Path) -> list[str]:
    return run(folder, "git", "ls-files").splitlines()


def test_our_name_is_left_only_in_the_licence_and_in_the_line_about_the_origin(
    checkout: Path, adopted: Path, name: Name
) -> None:
    found = [
        (path.relative_to(adopted).as_posix(), line)
        for path in adopted.rglob("*")
        if path.is_file()
        for line in path.read_bytes().decode(errors="replace").splitlines()
        if "belongings" in line.lower()
    ]
    head = run(checkout, "git", "rev-parse", "HEAD").strip()
    assert sorted(found) == [
        ("LICENSE", "Copyright (c) 2026 The Belongings developers"),
        ("README.md", f"[MIT](LICENSE). {name.title} was made from Belongings, commit {head}."),
    ]


def test_it_has_everything_but_what_is_only_about_us(checkout: Path, adopted: Path) -> None:
    assert set(LEFT_OUT) <= set(tracked(checkout))
    assert tracked(adopted) == [path for path in tracked(checkout) if path not in LEFT_OUT]
    modes = [[path.stat().st_mode for path in sorted(folder.glob(".ci/*"))] for folder in (checkout, adopted)]
    assert modes[0] == modes[1]


def test_nothing_in_it_needs_what_it_does_not_have(adopted: Path) -> None:
    mentions = [
        path for path in tracked(adopted) if re.search(r"\badopt(ing)?\.|\badopt\b", (adopted / path).read_text())
    ]
    assert mentions == ["docs/decisions/0031-a-copy-under-another-name.md"]


def test_a_hook_of_another_repository_does_not_disturb_it(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other"))
    adopt(checkout, tmp_path / "new", "Armory")
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_it_is_a_repository_with_one_commit(adopted: Path, name: Name) -> None:
    assert run(adopted, "git", "log", "--format=%an: %s (%D)") == f"Rick: Start {name.title} (HEAD -> main)\n"
    assert run(adopted, "git", "status", "--porcelain") == ""


def test_the_name_is_spelled_for_each_place(adopted: Path, name: Name) -> None:
    texts = {
        "README.md": f"# {name.title}\n",
        "pyproject.toml": f'\n{name.command} = "entrypoints.cli:app"\n',
        "entrypoints/settings.py": f'PREFIX = "{name.constant}_"\n',
        "entrypoints/api/http/problems.py": f'PREFIX = "urn:problem-type:{name.command}:"\n',
        "entrypoints/api/metrics.py": f'"{name.identifier}_threads_busy"',
        "domain/errors.py": f"class {name.class_}Error(Exception):\n",
        "tests/faults/conftest.py": f"def {name.identifier}(tmp_path: Path)",
        "tests/unit/test_settings.py": f'"sqlite:///{name.command}.db"',
    }
    assert [path for path, text in texts.items() if text not in (adopted / path).read_text()] == []


def test_its_code_is_formatted(adopted: Path) -> None:
    run(adopted, sys.executable, "-m", "ruff", "check", "--no-cache", ".")
    run(adopted, sys.executable, "-m", "ruff", "format", "--no-cache", "--check", ".")


def test_every_link_in_it_leads_somewhere(adopted: Path) -> None:
    links = [(page, link) for page in adopted.rglob("*.md") for link in re.findall(r"\]\(([^):]+)\)", page.read_text())]
    assert links
    assert [(page, link) for page, link in links if not leads_somewhere(link, page)] == []


def test_its_lock_file_is_up_to_date(adopted: Path, tmp_path: Path) -> None:
    """Also without a network: an index that is not there would be asked for whatever is not locked."""
    uv(adopted, "lock", "--check", "--offline", "--cache-dir", str(tmp_path))


@pytest.mark.long
def test_it_passes_its_type_checks_import_contracts_and_unit_tests(adopted: Path) -> None:
    uv(adopted, "sync", "--quiet")
    uv(adopted, "run", "mypy", ".")
    uv(adopted, "run", "lint-imports")
    uv(adopted, "run", "pytest", "tests/unit")


def test_its_pages_have_no_figures_of_ours(adopted: Path) -> None:
    docs = adopted / "docs"
    assert all(
        "made from](../README.md#licence)" in (docs / page).read_text() for page in ("databases.md", "security.md")
    )
    tables = re.findall(r"^Measured:\n\n.*\n.*\n((?:\|.*\n)+)", (docs / "reliability.md").read_text(), re.MULTILINE)
    rows = [row.strip("| ").split(" | ") for table in tables for row in table.splitlines()]
    assert {cell for row in rows for cell in row[1:]} == {"–", "not measured"}
    changes = (adopted / "CHANGELOG.md").read_text().splitlines()
    assert [line for line in changes if line.startswith("- ")] == ["- The service, with users and their items."]


def too_long(folder: Path) -> int:
    """The lines of prose that are wider than 120 columns."""
    pages = [page.read_text() for page in folder.rglob("*.md")]
    prose = [re.sub(r"^```.*?^```|^\|.*?$", "", page, flags=re.DOTALL | re.MULTILINE) for page in pages]
    return sum(len(line) > 120 for page in prose for line in page.splitlines())


def test_its_prose_is_as_narrow_as_ours(checkout: Path, adopted: Path) -> None:
    assert too_long(adopted) <= too_long(checkout)


@pytest.mark.parametrize(
    ("title", "why"),
    [
        ("", "is not a name: use words of ASCII letters and digits, and begin with a letter"),
        ("2nd Shed", "is not a name"),
        ("tool-shed", "is not a name"),
        ("Tool  Shed", "is not a name"),
        ("Ärmory", "is not a name"),
        ("Armory\n", "is not a name"),
        ("A" * (LONGEST + 1), f"is longer than {LONGEST} characters"),
        ("My Belongings", "contains the name of this project"),
        ("Class", "is a keyword of Python"),
        ("Match", "is a keyword of Python"),
        ("Test", "is taken: other environment variables begin with TEST_"),
        ("Domain", "is taken: it is a folder of the service"),
        ("tests", "is taken: it is a folder of the service"),
        ("SQLAlchemy", "is taken: the service depends on a package of this name"),
        ("Email", "is taken: there is a Python module of this name"),
        ("Dotenv", "is taken: there is a Python module of this name"),
        ("Python3", "is taken: a package of the service has a command of this name"),
    ],
)
def test_a_name_that_cannot_be_is_refused(checkout: Path, tmp_path: Path, title: str, why: str) -> None:
    assert why in refused(checkout, tmp_path / "new", title)
    assert list(tmp_path.iterdir()) == []


def refused(checkout: Path, destination: Path, title: str = "Armory") -> str:
    """Why; it is one line."""
    with pytest.raises(CannotAdopt) as refusal:
        adopt(checkout, destination, title)
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def test_a_destination_must_be_new_or_empty(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert refused(checkout, tmp_path / "file") == f"{tmp_path}/file is not a folder"
    assert refused(checkout, tmp_path / "file/new") == f"{tmp_path}/file is not a folder"
    assert refused(checkout, tmp_path / "none/new") == f"{tmp_path}/none is not a folder"
    assert refused(checkout, tmp_path) == f"{tmp_path} is not empty"
    assert refused(checkout, checkout / "new") == f"{checkout}/new is inside this checkout"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    (tmp_path / "empty").mkdir()
    adopt(checkout, tmp_path / "empty", "Armory")
    assert (tmp_path / "empty/README.md").read_text().startswith("# Armory\n")


def test_what_is_copied_must_be_committed(checkout: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(checkout, copy)
    (copy / "README.md").write_text("# Mine\n")
    assert refused(copy, tmp_path / "new") == f"{copy} has changes that are not committed"
    shutil.rmtree(copy / ".git")
    assert refused(copy, tmp_path / "new") == f"{copy} is not a Git checkout"
    assert list(tmp_path.iterdir()) == [copy]


@pytest.mark.parametrize("page", EDITS)
def test_a_page_that_no_longer_says_what_is_replaced_is_an_error(page: str) -> None:
    with pytest.raises(CannotAdopt, match=f"^{page} should contain once: "):
        edited(page, "# Rewritten\n", dict.fromkeys(("figures", "last", "name", "origin"), ""))


def test_nothing_is_left_if_git_does_not_know_who_commits(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GIT_AUTHOR_NAME")
    monkeypatch.delenv("GIT_AUTHOR_EMAIL")
    for name in ("GLOBAL", "SYSTEM"):
        monkeypatch.setenv(f"GIT_CONFIG_{name}", str(tmp_path / "none"))
    for name, value in {"COUNT": "1", "KEY_0": "user.useConfigOnly", "VALUE_0": "true"}.items():
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    assert "git var GIT_AUTHOR_IDENT: " in refused(checkout, tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("missing", ["git", "ruff"])
def test_nothing_is_written_without_the_programs_that_it_needs(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    if missing == "git":
        monkeypatch.setenv("PATH", str(tmp_path))
    else:
        monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert refused(checkout, tmp_path / "new").startswith(f"{missing} is ")
    assert list(tmp_path.iterdir()) == []


def test_the_command_says_what_to_do_next_or_why_not(checkout: Path, tmp_path: Path) -> None:
    command = [sys.executable, "tools/adopt.py", str(tmp_path / "shed"), "--name", "Tool Shed"]
    said = run(checkout, *command)
    assert said == (f"Tool Shed is in {tmp_path}/shed. To start it there: python3 -m uv run --no-dev tool-shed serve\n")
    again = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr == f"adopt.py: {tmp_path}/shed is not empty\n"
