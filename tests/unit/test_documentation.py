"""What the documentation must not leave out."""

import re
from pathlib import Path

import pytest

from entrypoints.api.app import create_app
from entrypoints.api.http.problems import problem_errors, problem_types
from entrypoints.cli import app as commands
from entrypoints.container import build_container
from entrypoints.settings import Settings, variable

TOP = Path(__file__).parents[2]
FOLDERS = ("docs", "tests", "examples")
PAGES = [*TOP.glob("*.md"), *(page for folder in FOLDERS for page in (TOP / folder).rglob("*.md"))]
RECORDS = sorted(path.name for path in (TOP / "docs/decisions").glob("[0-9]*.md"))


def text(page: str) -> str:
    return (TOP / page).read_text()


def leads_somewhere(link: str, page: Path) -> bool:
    """Whether there is such a file, and such a heading in it by the name that GitHub gives it."""
    path, _, name = link.partition("#")
    target = page.parent / path if path else page
    if not target.exists():
        return False
    headings = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE) if name else []
    return not name or name in {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(TOP).as_posix())
def test_every_link_within_the_repository_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^):]+)\)", page.read_text())
    assert [link for link in links if not leads_somewhere(link, page)] == []


def test_operators_can_look_up_every_setting_and_its_default() -> None:
    rows = [
        f"| `{variable(name)}` | `{field.default.get_secret_value() if name == 'database_url' else field.default}` |"
        for name, field in Settings.model_fields.items()
    ]
    assert [row for row in rows if row not in text("docs/operating.md")] == []


def test_operators_can_look_up_every_command() -> None:
    names = [command.callback.__name__ for command in commands.registered_commands if command.callback]
    assert names
    assert [name for name in names if f"`belongings {name}`" not in text("docs/operating.md")] == []


def test_clients_can_look_up_every_request() -> None:
    settings = Settings.model_validate({"DATABASE_URL": "memory://"})
    paths = create_app(build_container(settings)).openapi()["paths"]
    requests = [f"{method.upper()} {path}" for path, methods in paths.items() for method in methods]
    assert requests
    missing = [request for request in requests if f"`{request}`" not in text("docs/api.md")]
    assert missing == [], "docs/api.md needs a row for each in the table of requests"


def test_clients_can_look_up_every_type_of_problem_and_its_status() -> None:
    rows = [f"| `urn:problem-type:belongings:{type}` | {status} |" for status, type in problem_errors()]
    missing = [row for row in rows if row not in text("docs/api.md")]
    assert missing == [], "docs/api.md needs these rows, with a meaning, in the table of problem types"


def test_decisions_are_numbered_in_order_and_listed() -> None:
    assert [int(name[:4]) for name in RECORDS] == list(range(1, len(RECORDS) + 1))
    listed = re.findall(r"^\| \[(\d{4})\]\((\1-[a-z-]+\.md)\)", text("docs/decisions/README.md"), re.MULTILINE)
    assert [file for _, file in listed] == RECORDS


@pytest.mark.parametrize("record", RECORDS)
def test_a_decision_says_why_what_with_which_effect_and_until_when(record: str) -> None:
    parts = re.findall(r"^\*\*(.+?)\.\*\*", text(f"docs/decisions/{record}"), re.MULTILINE)
    assert parts == ["Context", "Decision", "Consequences", "What would change it"]


def test_the_example_of_a_client_has_something_to_say_on_every_problem() -> None:
    """Its compiler would ask for it, but nobody compiles it here."""
    missing = [
        type for type in sorted(problem_types()) if f'case "{type}"' not in text("examples/typescript/client.ts")
    ]
    assert missing == [], "examples/typescript/client.ts needs a case for each in `advice`"
