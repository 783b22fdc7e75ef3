"""What may stand where in this repository."""

import ast
import sys
from functools import cache
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
MODULES = sorted(
    path.relative_to(TOP)
    for folder in ("domain", "service_layer", "adapters", "entrypoints", "alembic", "tests")
    for path in (TOP / folder).rglob("*.py")
)
PRODUCT = [path for path in MODULES if path.parts[0] != "tests"]


@cache
def imported(module: Path) -> set[str]:
    """The top-level packages that a module imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse((TOP / module).read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(str(node.module).partition(".")[0])
    return names


def importing(*packages: str) -> list[Path]:
    return [module for module in PRODUCT if imported(module) & set(packages)]


def test_there_is_something_to_look_at() -> None:
    assert {path.parts[0] for path in PRODUCT} == {"domain", "service_layer", "adapters", "entrypoints", "alembic"}


def test_http_stays_in_the_entrypoints() -> None:
    outside = [module for module in importing("fastapi", "starlette") if module.parts[0] != "entrypoints"]
    assert outside == []
    naming = [module for module in PRODUCT if "HTTPException" in (TOP / module).read_text()]
    assert {module.parts[0] for module in naming} == {"entrypoints"}


def test_sql_stays_in_its_adapter() -> None:
    allowed = ("adapters/sql", "alembic", "entrypoints/container.py")
    assert [module for module in importing("sqlalchemy") if not module.as_posix().startswith(allowed)] == []


def test_the_domain_needs_nothing_but_the_standard_library() -> None:
    modules = [module for module in PRODUCT if module.parts[0] == "domain"]
    assert set().union(*map(imported, modules)) <= {"domain", *sys.stdlib_module_names}


def test_the_folder_of_migrations_does_not_shadow_the_library() -> None:
    assert not list((TOP / "alembic").rglob("__init__.py"))


@pytest.mark.parametrize("name", ["utils", "base", "common", "helpers"])
def test_no_module_is_named_for_nothing(name: str) -> None:
    assert [module for module in MODULES if module.stem == name or name in module.parts] == []
