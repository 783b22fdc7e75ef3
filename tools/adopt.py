"""Make a service of your own from this checkout.

    python3 -m uv run tools/adopt.py ../armory --name Armory

Writes a new Git repository with one commit. Your name replaces ours in the distribution, the command, settings, problem
types, metrics, classes, database files and documentation. What is true only here is left out or replaced: see
``LEFT_OUT``, ``EDITS`` and ``REWRITTEN``. If something is wrong, it says so in one line and writes nothing.
"""

import argparse
import importlib.util
import io
import keyword
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tokenize
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
LONGEST = 30
WIDTH = 120

LEFT_OUT = {
    "docs/adopting.md",
    "docs/benchmarks.md",
    "docs/benchmarks.svg",
    "tests/tools/test_adopt.py",
    "tests/tools/test_adopting_page.py",
    "tools/adopt.py",
}
"""Files that the new service does not get."""

EDITS: dict[str, list[tuple[str, str]]] = {
    "README.md": [
        ("It is also a codebase to copy … [docs/adopting.md](docs/adopting.md).", ""),
        ("with hand-written code; results in docs/benchmarks.md", "with hand-written code"),
        ("[MIT](LICENSE)", "[MIT](LICENSE). {name} was made from {origin}."),
    ],
    "docs/README.md": [
        ("- [benchmarks.md](benchmarks.md): how fast it is, … where the time goes.", ""),
        ("- [adopting.md](adopting.md): make a service of your own from this code.", ""),
    ],
    "docs/databases.md": [("# Databases", "# Databases\n\n{figures}")],
    "docs/decisions/0013-where-a-request-spends-its-time.md": [
        ("[Benchmarks](../benchmarks.md) has the figures by stage.", "")
    ],
    "docs/decisions/README.md": [
        (
            "Figures without a source",
            "Records up to {last} are about the code that {name} was [made from](../../README.md#licence).\n\n"
            "Figures without a source",
        )
    ],
    "docs/reliability.md": [
        ("the test that proves it, and what that test measured last.", "and the test that proves it."),
        ("The figures are from a machine … and MariaDB 10.11.", "The long tests print figures for the tables."),
        ("- While all processors hash passwords, … and pytest kept all log output.", ""),
        ("which produced the figures above", "which produces figures for the tables above"),
    ],
    "docs/security.md": [("# Security", "# Security\n\n{figures}")],
}
"""Texts that are true only here, by file, and what the new service says instead.

Each must occur exactly once, wherever its lines are broken; ``…`` stands for anything.
"""

FIGURES = "Figures on this page were measured with the code that {name} was [made from](../README.md#licence)."


class CannotAdopt(Exception):
    """Why not, in one line. Nothing has been written."""


@dataclass(frozen=True, slots=True)
class Name:
    """The name of a service, in all spellings.

    :param title: in prose.
    """

    title: str

    @property
    def command(self) -> str:
        """Of the command, the distribution, problem types, files and loggers."""
        return self.title.lower().replace(" ", "-")

    @property
    def identifier(self) -> str:
        """Of metrics, databases, functions and variables."""
        return self.title.lower().replace(" ", "_")

    @property
    def constant(self) -> str:
        """Of settings and constants."""
        return self.identifier.upper()

    @property
    def class_(self) -> str:
        """Of classes, such as the domain's error."""
        return "".join(word[0].upper() + word[1:] for word in self.title.split(" "))

    def spelled_like(self, ours: str, *, in_identifier: bool) -> str:
        """This name, where ours is spelled like that."""
        if ours.isupper():
            return self.constant
        if in_identifier:
            return self.class_ if ours.istitle() else self.identifier
        return self.title if ours.istitle() else self.command


OURS = Name("Belongings")

ELSEWHERE = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"}
"""Variables with which Git, in a hook, would work on another repository than the one in the current folder."""

RESERVED_PREFIXES = (
    "BENCH",
    "DATABASE",
    "FASTAPI",
    "GIT",
    "OTEL",
    "PROMETHEUS",
    "PYTEST",
    "PYTHON",
    "TEST",
    "UV",
    "WEB",
)
"""Prefixes of other environment variables. The service refuses variables with its own prefix that it does not know."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="adopt.py", description="Make a service of your own from this checkout.")
    parser.add_argument("destination", type=Path, metavar="DEST", help="a folder that does not exist or is empty")
    parser.add_argument("--name", required=True, help='the name of the service, such as Armory or "Tool Shed"')
    options = parser.parse_args(arguments)
    try:
        adopt(CHECKOUT, options.destination, options.name)
    except (CannotAdopt, OSError) as error:
        sys.exit(f"adopt.py: {error}")
    start = f"python3 -m uv run --no-dev {Name(options.name).command} serve"
    print(f"{options.name} is in {options.destination}. To start it there: {start}")  # noqa: T201  # a script's result


def adopt(checkout: Path, destination: Path, title: str) -> None:
    """Write the new service.

    :raises CannotAdopt: if that is not possible; then the destination is as it was.
    """
    destination = destination.absolute()
    check_name(checkout, title)
    check_destination(checkout, destination)
    check_tools()
    commit = commit_of(checkout)
    with tempfile.TemporaryDirectory(prefix=".adopt-", dir=destination.parent) as folder:
        new = Path(folder) / "new"
        new.mkdir()
        git(new, "init", "--quiet", "--initial-branch=main")
        git(new, "var", "GIT_AUTHOR_IDENT")
        write(checkout, new, Name(title), f"{OURS.title}, commit {commit}")
        ruff(new, "check", "--fix-only")
        ruff(new, "format")
        ruff(new, "check", "--select=E501", "--add-noqa=the name is long")
        git(new, "add", "--all")
        git(new, "commit", "--quiet", f"--message=Start {title}")
        new.rename(destination)


def check_name(checkout: Path, title: str) -> None:
    """:raises CannotAdopt: if no service can have this name, or none that uses what this one uses."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9]*( [A-Za-z0-9]+)*", title):
        raise CannotAdopt(f"{title!r} is not a name: use words of ASCII letters and digits, and begin with a letter")
    if len(title) > LONGEST:
        raise CannotAdopt(f"{title!r} is longer than {LONGEST} characters")
    name = Name(title)
    if OURS.identifier in name.identifier:
        raise CannotAdopt(f"{title!r} contains the name of this project")
    if keyword.iskeyword(name.identifier) or keyword.issoftkeyword(name.identifier):
        raise CannotAdopt(f"{title!r} is a keyword of Python")
    if name.constant in RESERVED_PREFIXES:
        raise CannotAdopt(f"{title!r} is taken: other environment variables begin with {name.constant}_")
    if (checkout / name.identifier).exists():
        raise CannotAdopt(f"{title!r} is taken: it is a folder of the service")
    if f'\nname = "{name.command}"\n' in (checkout / "uv.lock").read_text():
        raise CannotAdopt(f"{title!r} is taken: the service depends on a package of this name")
    if name.identifier in sys.stdlib_module_names or importlib.util.find_spec(name.identifier):
        raise CannotAdopt(f"{title!r} is taken: there is a Python module of this name")
    if Path(sys.executable).with_name(name.command).exists():
        raise CannotAdopt(f"{title!r} is taken: a package of the service has a command of this name")


def check_destination(checkout: Path, destination: Path) -> None:
    """:raises CannotAdopt: if the new service cannot be written there."""
    if not destination.parent.is_dir():
        raise CannotAdopt(f"{destination.parent} is not a folder")
    if destination.exists() and not destination.is_dir():
        raise CannotAdopt(f"{destination} is not a folder")
    if destination.exists() and any(destination.iterdir()):
        raise CannotAdopt(f"{destination} is not empty")
    if destination.resolve().is_relative_to(checkout):
        raise CannotAdopt(f"{destination} is inside this checkout")


def check_tools() -> None:
    """:raises CannotAdopt: if Git or ruff is missing."""
    if not shutil.which("git"):
        raise CannotAdopt("git is not installed")
    if not importlib.util.find_spec("ruff"):
        raise CannotAdopt("ruff is missing here; run: python3 -m uv run tools/adopt.py …")


def commit_of(checkout: Path) -> str:
    """The commit that is checked out.

    :raises CannotAdopt: if this is not a checkout, or has changes.
    """
    if not (checkout / ".git").exists():
        raise CannotAdopt(f"{checkout} is not a Git checkout")
    if git(checkout, "status", "--porcelain"):
        raise CannotAdopt(f"{checkout} has changes that are not committed")
    return git(checkout, "rev-parse", "HEAD").strip()


def write(checkout: Path, new: Path, name: Name, origin: str) -> None:
    """Write the files of the new service."""
    paths = [path for path in git(checkout, "ls-files", "-z").split("\0") if path]
    last = max(record for path in paths for record in re.findall(r"^docs/decisions/(\d{4})-", path))
    values = {"name": name.title, "origin": origin, "last": last, "figures": FIGURES.format(name=name.title)}
    for path in paths:
        if path in LEFT_OUT:
            continue
        (new / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(checkout / path, new / path)
        data = (checkout / path).read_bytes()
        if path != "LICENSE" and b"\0" not in data:
            text = data.decode()
            changed = edited(path, REWRITTEN.get(path, str)(renamed(path, text, name)), values)
            (new / path).write_bytes(wrapped(path, text, changed).encode())


def renamed(path: str, text: str, name: Name) -> str:
    """The text of a file with the new name instead of ours."""
    if OURS.identifier not in text.lower():
        return text
    if path.endswith(".py"):
        text = with_identifiers_renamed(text, name)
    part_of_identifier = rf"(?<=\w)(?<!\\n){OURS.identifier}|{OURS.identifier}(?=\w)"
    return re.sub(
        rf"({part_of_identifier})|{OURS.identifier}",
        lambda found: name.spelled_like(found[0], in_identifier=found[1] is not None),
        text,
        flags=re.IGNORECASE,
    )


def with_identifiers_renamed(text: str, name: Name) -> str:
    """Python code with the new name in functions, variables and classes, but not in strings and comments."""
    lines = list(io.StringIO(text))
    for token in reversed(list(tokenize.generate_tokens(iter(lines).__next__))):
        if token.type == tokenize.NAME and token.string.lower() == OURS.identifier:
            row, column = token.start
            before, after = lines[row - 1][:column], lines[row - 1][column + len(token.string) :]
            lines[row - 1] = before + name.spelled_like(token.string, in_identifier=True) + after
    return "".join(lines)


def edited(path: str, text: str, values: dict[str, str]) -> str:
    """The text of a file without what is true only here."""
    for old, instead in EDITS.get(path, []):
        words = r"\s+".join(re.escape(word).replace("…", ".*?") for word in old.split())
        pattern = re.compile(words if instead else rf"\s*{words}", re.DOTALL)
        text, count = pattern.subn(instead.format(**values).replace("\\", r"\\"), text)
        if count != 1:
            raise CannotAdopt(f"{path} should contain once: {old}")
    return text


def new_changelog(text: str) -> str:
    """A changelog that has only the first line of the new service."""
    head, _, _ = text.partition("\n## ")
    return f"{head}\n## Unreleased\n\n### Added\n\n- The service, with users and their items.\n"


def without_results(text: str) -> str:
    """A page whose tables of results have no figures; a dash still means that there cannot be any."""

    def empty(table: re.Match[str]) -> str:
        head, line, *rows = table[0].splitlines()
        cells = [row.split(" | ") for row in rows]
        emptied = [
            [first, *("–" if cell.strip(" |") == "–" else "not measured" for cell in rest)] for first, *rest in cells
        ]
        return "\n".join([head, line, *(f"{' | '.join(row)} |" for row in emptied), ""])

    return re.sub(r"(?<=^Measured:\n\n)(\|.*\n)+", empty, text, flags=re.MULTILINE)


def in_order(text: str) -> str:
    """A lock file whose packages are in the order that uv writes."""
    mark = "[[package]]\n"
    head, *packages = text.rstrip("\n").split(mark)
    packages = sorted((f"{package.rstrip()}\n" for package in packages), key=lambda package: package.partition("\n")[0])
    return head + mark + f"\n{mark}".join(packages)


REWRITTEN: dict[str, Callable[[str], str]] = {
    "CHANGELOG.md": new_changelog,
    "docs/reliability.md": without_results,
    "uv.lock": in_order,
}


def wrapped(path: str, before: str, text: str) -> str:
    """A page without lines that became too long, if it is prose; ruff does it for code."""
    if not path.endswith(".md"):
        return text
    known = set(before.splitlines())
    lines = text.splitlines()
    in_example = False
    for at, line in enumerate(lines):
        in_example ^= line.startswith("```")
        if len(line) > WIDTH and line not in known and not in_example and not line.startswith("|"):
            cut = line.rindex(" ", 0, WIDTH + 1)
            indent = re.match(r" *(- )?", line)
            rest = " " * len(indent[0] if indent else "") + line[cut + 1 :]
            lines[at] = line[:cut]
            following = lines[at + 1] if at + 1 < len(lines) else ""
            if following and not re.match(r" *(- |\d+\. |\||```)", following):
                lines[at + 1] = f"{rest} {following.lstrip()}"
            else:
                lines.insert(at + 1, rest)
    return "\n".join([*lines, ""])


def git(folder: Path, *arguments: str) -> str:
    """What Git prints."""
    return run("git", *arguments, folder=folder)


def ruff(folder: Path, *arguments: str) -> str:
    """What ruff prints, with the configuration in this folder."""
    return run(sys.executable, "-m", "ruff", *arguments, "--quiet", folder=folder)


def run(*command: str, folder: Path) -> str:
    """What a command prints.

    :raises CannotAdopt: with its last line, if it fails.
    """
    here = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
    result = subprocess.run(command, cwd=folder, env=here, capture_output=True, text=True, check=False)  # noqa: S603  # our own
    if result.returncode:
        said = (result.stderr or result.stdout).strip().splitlines() or [f"status {result.returncode}"]
        raise CannotAdopt(f"{' '.join(command[:4])}: {said[-1]}")
    return result.stdout


if __name__ == "__main__":
    main()
