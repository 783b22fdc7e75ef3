"""An aggregate that the tool writes passes all checks at once; what it cannot do, it refuses."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.new_aggregate import main, plural_of

TOP = Path(__file__).parents[2]
HERO = ["SpaceHero", "name:text(1..100)", "age:int(0..200)?", "secret_name:text(1..100) hidden"]
CITY = [
    "SpaceCity",
    "order:int(-5..-1)",
    "code:text(1..3) unique",
    "group:text(50..60)?",
    "is_open:bool",
    "was:bool?",
    "story:text(0..10000)?",
    "pin:int(1000..1003) hidden",
    "big:int(-9223372036854775807..9223372036854775807)?",
]
"""Names that SQL has, every type, narrow and negative bounds, text without an index."""

LAST = max(int(path.name[:4]) for path in (TOP / "alembic/versions").glob("[0-9]*.py"))
PRODUCT = ("domain", "service_layer", "adapters", "alembic", "entrypoints")


def run(folder: Path, *command: str) -> str:
    options = "PYTEST_ADDOPTS", "COV_CORE_SOURCE", "COV_CORE_CONFIG", "COV_CORE_DATAFILE"  # of this test run
    environment = {name: value for name, value in os.environ.items() if name not in options}
    environment["PYTHONPATH"] = str(folder)
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def python(folder: Path, *arguments: str) -> str:
    return run(folder, sys.executable, "-m", *arguments)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of this code as it is now, committed."""
    folder = tmp_path / "checkout"
    for path in run(TOP, "git", "ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0"):
        if (TOP / path).is_file():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(TOP / path, folder / path)
    run(folder, "git", "init", "--quiet")
    run(folder, "git", "add", "--all")
    return folder


def following(count: int) -> str:
    """A revision after the last one."""
    return f"{LAST + count:04}"


def changed(folder: Path) -> list[str]:
    status = run(folder, "git", "status", "--porcelain", "-uall").splitlines()
    return sorted(line[3:] for line in status if line[1] != " ")


def refused(checkout: Path, *arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Why; it is one line, and nothing was written."""
    with pytest.raises(SystemExit) as refusal:
        main(arguments, checkout)
    assert not capsys.readouterr().out
    why = str(refusal.value)
    assert why.startswith("new_aggregate.py: ")
    assert "\n" not in why
    return why


def test_what_it_writes_is_formatted_and_works(checkout: Path) -> None:
    main(CITY, checkout)
    python(checkout, "ruff", "check", "--no-cache", ".")
    python(checkout, "ruff", "format", "--no-cache", "--check", ".")
    tests = ["tests/api/test_space_cities.py", "tests/unit/test_documentation.py"]
    selected = "unit or (planned and memory)"
    python(checkout, "pytest", "-q", "-p", "no:cacheprovider", *tests, "-k", selected)


def test_it_touches_six_files_of_the_product(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(HERO, checkout)
    files = capsys.readouterr().out.splitlines()
    assert sorted(files) == changed(checkout)
    assert [path for path in sorted(files) if path.startswith(PRODUCT)] == [
        "adapters/sql/mapping/tables.py",
        f"alembic/versions/{following(1)}_space_heroes.py",
        "domain/space_heroes.py",
        "entrypoints/api/app.py",
        "entrypoints/api/routers/space_heroes.py",
        "service_layer/space_heroes.py",
    ]


def test_it_can_only_show_what_it_would_write(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([*HERO, "--diff"], checkout)
    shown = capsys.readouterr().out
    assert changed(checkout) == []
    main(HERO, checkout)
    for path in capsys.readouterr().out.splitlines():
        assert f"+++ b/{path}\n" in shown
        added = re.findall(
            r"^\+(?!\+\+ )(.*)$", shown.partition(f"+++ b/{path}\n")[2].partition("\n--- a/")[0], re.MULTILINE
        )
        assert added
        assert set(added) <= set((checkout / path).read_text().splitlines())


def test_a_second_one_gets_the_next_migration(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(HERO, checkout)
    main(["SpaceVillain", "name:text(1..100)"], checkout)
    assert f"alembic/versions/{following(2)}_space_villains.py" in capsys.readouterr().out
    assert (
        f'down_revision = "{following(1)}"'
        in (checkout / f"alembic/versions/{following(2)}_space_villains.py").read_text()
    )
    python(checkout, "ruff", "check", "--no-cache", ".")
    python(
        checkout,
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "tests/unit/test_aggregates.py",
        "tests/unit/test_documentation.py",
    )
    capsys.readouterr()
    assert "domain/space_heroes.py is there already" in refused(checkout, *HERO, capsys=capsys)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["hero", "name:text(1..9)"], "'hero' is not a name in CamelCase"),
        (["HERO", "name:text(1..9)"], "'HERO' is not a name in CamelCase"),
        (["Hero2x", "name:text(1..9)", "--plural", "Heroes"], "'Heroes' is not a name in snake_case"),
        (["Exception", "name:text(1..9)"], "'Exception' is a name of Python"),
        (["Class", "name:text(1..9)"], "'Class' is a name of Python"),
        (["Sheep", "name:text(1..9)", "--plural", "sheep"], "'sheep' is the singular as well"),
        (["Doc", "name:text(1..9)"], "'docs' is taken: the service has such a path"),
        (["Item", "name:text(1..9)"], "domain/items.py is there already"),
        (["Port", "name:text(1..9)"], "service_layer/ports.py is there already"),
        (["Setting", "name:text(1..9)"], "'settings' is taken: entrypoints/api/app.py uses this name"),
        (["Page", "name:text(1..9)"], "'PageQuery' would have two meanings in entrypoints/api/routers/pages.py"),
        (["Hero"], "Hero has no field"),
        (["Hero", "name"], "'name' is not a field"),
        (["Hero", "name:text(1..9) secret"], "'name:text(1..9) secret' is not a field"),
        (["Hero", "name:text"], "'name' needs bounds, such as text(1..100)"),
        (["Hero", "alive:bool(0..1)"], "'alive' needs no bounds"),
        (["Hero", "born:date"], "'date' is not a type"),
        (["Hero", "Name:text(1..9)"], "'Name' is not a name in snake_case"),
        (["Hero", "naïve:bool"], "'naïve' is not a name in snake_case"),
        (["Hero", "class:bool"], "'class' is a keyword of Python"),
        (["Hero", "id:int(1..9)"], "'id' is the name of something else"),
        (["Hero", "version:int(1..9)"], "'version' is the name of something else"),
        (["Hero", "limit:int(1..9)"], "'limit' is the name of something else"),
        (["Hero", "copy:bool"], "'copy' is the name of something else"),
        (["Hero", "name:text(1..9)", "name:bool"], "'name' is the name of two fields or filters"),
        (["Hero", "age:int(1..9)", "min_age:bool"], "'min_age' is the name of two fields or filters"),
        (["Hero", "age:int(9..1)"], "the bounds of 'age' are reversed"),
        (["Hero", "age:int(0..9223372036854775808)"], "'age' is out of range: numbers have 64 bits"),
        (["Hero", "age:int(0..9007199254740993)"], "'age' cannot have this bound: use one up to 9007199254740992"),
        (["Hero", "name:text(1..10001)"], "'name' is out of range"),
        (["Hero", "name:text(0..0)"], "'name' is out of range"),
        (["Hero", "name:text(-1..5)"], "'name' is out of range"),
        (["Hero", "one:text(0..9000)", "two:text(0..9000)"], "all text together has more than 16,000 characters"),
        (["Hero", "name:text(1..9) hidden unique"], "'name' cannot be hidden and unique"),
        (["Hero", "name:text(1..9)? unique"], "'name' cannot be optional and unique"),
        (["Hero", "name:text(1..491) unique"], "'name' is too long to be unique"),
        (["Hero", "age:int(1..9) unique"], "'age' has too few values to be unique"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_is_refused(arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert why in refused(TOP, *arguments, capsys=capsys)


def test_a_file_that_is_no_longer_as_expected_is_named(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (checkout / "docs/api.md").write_text("# Mine\n")
    assert "docs/api.md should contain once: | `GET /health/live`" in refused(checkout, *HERO, capsys=capsys)
    assert changed(checkout) == ["docs/api.md"]


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("hero", "heroes"),
        ("city", "cities"),
        ("toy", "toys"),
        ("box", "boxes"),
        ("bus", "buses"),
        ("space_ship", "space_ships"),
    ],
)
def test_plurals_are_the_usual_ones(one: str, many: str) -> None:
    assert plural_of(one) == many


@pytest.mark.long
@pytest.mark.parametrize("arguments", [HERO, CITY], ids=["heroes", "cities"])
def test_what_it_writes_passes_every_check_on_every_store(checkout: Path, arguments: list[str]) -> None:
    main(arguments, checkout)
    python(checkout, "mypy", ".")
    run(checkout, str(Path(sys.executable).with_name("lint-imports")))
    python(checkout, "pytest", "-q", "-n", "2", "tests/unit", "tests/contract", "tests/api", "tests/migrations")
