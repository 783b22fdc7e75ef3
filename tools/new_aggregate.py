"""Write a new aggregate: its class, declaration, table, migration, router, tests and documentation.

    python3 -m uv run tools/new_aggregate.py Hero \\
        "name:text(1..100)" "age:int(0..200)?" "secret_name:text(1..100) hidden"

Types are ``text(min..max)``, ``int(min..max)`` and ``bool``. A ``?`` makes a field optional. ``hidden`` keeps it out of
all responses; ``unique`` refuses a value that another one has. Lists can be filtered and sorted by every field that is
shown, unless it is text of more than 490 characters. If something is wrong, it says so in one line and writes nothing.
"""

import argparse
import ast
import builtins
import difflib
import json
import keyword
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from string import Template

from pydantic import BaseModel

CHECKOUT = Path(__file__).resolve().parents[1]
TEXT_MAX = 10_000
TEXTS_MAX = 16_000
"""Of all fields together: a row of MariaDB has 65,535 bytes, and a character up to four."""

KEY_MAX = 490
"""Longer text has no index, and does not fit into a cursor."""

UNIQUE_VALUES_MIN = 100
SAMPLES = 10
"""More than any test needs."""

INT_MAX = 2**63 - 1
EXACT_MAX = 2**53
"""FastAPI publishes bounds as floats, which hold none between this and ``INT_MAX`` exactly."""

LONGEST = 30
RESERVED = {
    *("id", "version", "check", "limit", "skip", "after", "offset", "sort", "cursor"),
    *("aggregate", "page", "filter", "pool", "following"),  # parts of PageQuery
    *("create", "update", "query"),  # of the schemas, whose names begin alike
    "ok",
}
PATHS = {"docs", "redoc", "metrics", "health", "static"}


class CannotWrite(Exception):
    """Why not, in one line. Nothing has been written."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an ``owner``: ``kind`` is text, int or bool. The bounds are those of a number, or of a length."""

    name: str
    kind: str
    low: int
    high: int
    optional: bool
    hidden: bool
    unique: bool
    owner: str = ""

    @property
    def words(self) -> str:
        return self.name.replace("_", " ")

    @property
    def type_(self) -> str:
        """Its type in Python."""
        return {"text": "str"}.get(self.kind, self.kind) + (" | None" if self.optional else "")

    @property
    def minimum(self) -> str:
        return str(self.low) if self.low in (0, 1) else self._constant("MIN")

    @property
    def maximum(self) -> str:
        return self._constant("MAX")

    def _constant(self, bound: str) -> str:
        return f"{self.owner}_{self.name}_{bound}{'_LENGTH' if self.kind == 'text' else ''}".upper()

    @property
    def constants(self) -> dict[str, int]:
        """The bounds that have names."""
        bounds = {self.minimum: self.low, self.maximum: self.high} if self.kind != "bool" else {}
        return {name: bound for name, bound in bounds.items() if name.isidentifier()}

    @property
    def is_key(self) -> bool:
        """Whether lists can be filtered and sorted by it."""
        return not self.hidden and (self.kind != "text" or self.high <= KEY_MAX)

    @property
    def limits(self) -> str:
        """What the documentation says."""
        bounds = "true or false" if self.kind == "bool" else f"{self.low} to {self.high}"
        many = f"{bounds} characters" if self.kind == "text" else bounds
        return many + (", or null" if self.optional else "") + ("; unique" if self.unique else "")

    def column(self, types: str, sqlalchemy: str, length: object) -> str:
        """Its SQL type; the arguments are prefixes, and the length of text."""
        sql = {"int": f"{sqlalchemy}BigInteger", "bool": f"{sqlalchemy}Boolean"}
        return sql.get(self.kind, f"{types}ExactString({length})")

    def sample(self, number: str) -> str:
        """Code for a value that depends on a number."""
        if self.kind == "bool":
            return f"{number} > 1"
        if self.kind == "int":
            value = f"{self.low} + {number}" if self.low else number
            return value if self.high - self.low > SAMPLES else f"min({value}, {self.high})"
        return f'f"{{{number}:0{min(self.high, max(self.low, 5))}}}"'

    @property
    def wrong(self) -> list[str]:
        """Code for values that are refused."""
        if self.kind == "bool":
            return ['"true"', "1"]
        if self.kind == "int":
            return [str(self.low - 1), str(self.high + 1), f'"{self.low}"', "True"]
        short = [f'"x" * {self.low - 1}' if self.low > 1 else '""'] if self.low else []
        return [*short, f'"x" * {self.high + 1}', f'"\\0" * {self.low}' if self.low > 1 else '"\\0"', "5"]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """What is to be written."""

    class_: str
    plural: str
    fields: tuple[Field, ...]

    @property
    def name(self) -> str:
        return snake(self.class_)

    @property
    def words(self) -> str:
        return self.name.replace("_", " ")

    @property
    def many(self) -> str:
        return self.plural.replace("_", " ")

    @property
    def a(self) -> str:
        return f"{'an' if self.words[0] in 'aeiou' else 'a'} {self.words}"

    @property
    def constant(self) -> str:
        return self.plural.upper()

    @property
    def shown(self) -> list[Field]:
        return [field for field in self.fields if not field.hidden]

    @property
    def keys(self) -> list[Field]:
        return [field for field in self.fields if field.is_key]

    @property
    def unique(self) -> list[Field]:
        return [field for field in self.fields if field.unique]

    def kinds(self) -> set[str]:
        return {field.kind for field in self.fields}

    def alias(self, field: Field) -> str:
        """The type of a field in requests."""
        return self.class_ + camel(field.name)

    def taken(self, field: Field) -> str:
        return f"{self.class_}{camel(field.name)}Taken"

    def constants(self) -> list[str]:
        return [name for field in self.fields for name in field.constants]


def main(arguments: Sequence[str] | None = None, checkout: Path = CHECKOUT) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="new_aggregate.py", description="Write a new aggregate.")
    parser.add_argument("class_", metavar="NAME", help="the name of its class, such as Hero")
    parser.add_argument(
        "fields", nargs="*", metavar="FIELD", help='such as "age:int(0..200)?" or "name:text(1..100) unique"'
    )
    parser.add_argument("--plural", help="by default, the usual plural, such as heroes")
    parser.add_argument("--diff", action="store_true", help="only show what would change")
    options = parser.parse_args(arguments)
    try:
        aggregate = parsed(options.class_, options.fields, options.plural)
        files = changes(checkout, aggregate)
    except (CannotWrite, OSError) as error:
        sys.exit(f"new_aggregate.py: {error}")
    for path, text in files.items():
        before = (checkout / path).read_text() if (checkout / path).exists() else ""
        if options.diff:
            lines = difflib.unified_diff(before.splitlines(True), text.splitlines(True), f"a/{path}", f"b/{path}")
            sys.stdout.writelines(lines)
        else:
            (checkout / path).write_text(text)
            print(path)  # noqa: T201  # a script's result


def parsed(class_: str, fields: Sequence[str], plural: str | None = None) -> Aggregate:
    """The aggregate that the command line describes.

    :raises CannotWrite: if there cannot be one.
    """
    if not re.fullmatch(r"([A-Z][a-z0-9]+)+", class_) or len(class_) > LONGEST:
        raise CannotWrite(f"{class_!r} is not a name in CamelCase of at most {LONGEST} characters, such as Hero")
    if hasattr(builtins, class_) or keyword.iskeyword(snake(class_)):
        raise CannotWrite(f"{class_!r} is a name of Python")
    plural = plural_of(snake(class_)) if plural is None else plural
    check_name(plural)
    if plural == snake(class_):
        raise CannotWrite(f"{plural!r} is the singular as well: choose another --plural")
    if plural in PATHS:
        raise CannotWrite(f"{plural!r} is taken: the service has such a path")
    if not fields:
        raise CannotWrite(f"{class_} has no field")
    parts = tuple(replace(field_of(field), owner=snake(class_)) for field in fields)
    names = Counter(field.name for field in parts)
    names.update(
        f"{bound}_{field.name}" for field in parts if field.kind == "int" and field.is_key for bound in ("min", "max")
    )
    for name, count in names.items():
        if count > 1:
            raise CannotWrite(f"{name!r} is the name of two fields or filters")
    if sum(field.high for field in parts if field.kind == "text") > TEXTS_MAX:
        raise CannotWrite(f"all text together has more than {TEXTS_MAX:,} characters")
    return Aggregate(class_, plural, parts)


def field_of(text: str) -> Field:
    """The field that this describes.

    :raises CannotWrite: if there cannot be one.
    """
    found = re.fullmatch(
        r"([^:]*):(\w+)(?:\((-?\d{1,30})\.\.(-?\d{1,30})\))?(\?)?((?: (?:hidden|unique))*)", text, re.ASCII
    )
    if not found:
        raise CannotWrite(
            f'{text!r} is not a field, such as "name:text(1..100)", "age:int(0..200)?" or "alive:bool hidden"'
        )
    name, kind, low, high, optional, flags = found.groups()
    check_name(name)
    if name in RESERVED or name.startswith("model_") or hasattr(BaseModel, name):
        raise CannotWrite(f"{name!r} is the name of something else: choose another")
    if kind not in ("text", "int", "bool"):
        raise CannotWrite(f"{kind!r} is not a type: use text(min..max), int(min..max) or bool")
    if (kind == "bool") != (low is None):
        raise CannotWrite(f"{name!r} needs {'no bounds' if kind == 'bool' else f'bounds, such as {kind}(1..100)'}")
    field = Field(name, kind, int(low or 0), int(high or 1), bool(optional), "hidden" in flags, "unique" in flags)
    check_bounds(field)
    if field.unique:
        check_unique(field)
    return field


def check_bounds(field: Field) -> None:
    """:raises CannotWrite: if databases cannot store such values, or there are none."""
    if field.low > field.high:
        raise CannotWrite(f"the bounds of {field.name!r} are reversed")
    if field.kind == "text" and not (field.low >= 0 and 1 <= field.high <= TEXT_MAX):
        raise CannotWrite(f"{field.name!r} is out of range: text has 0 to {TEXT_MAX:,} characters")
    if field.kind == "int" and max(-field.low, field.high) > INT_MAX:
        raise CannotWrite(f"{field.name!r} is out of range: numbers have 64 bits")
    if field.kind == "int" and any(EXACT_MAX < abs(bound) < INT_MAX for bound in (field.low, field.high)):
        raise CannotWrite(f"{field.name!r} cannot have this bound: use one up to {EXACT_MAX}, or {INT_MAX}")


def check_unique(field: Field) -> None:
    """:raises CannotWrite: if a field cannot be unique."""
    if field.hidden:
        raise CannotWrite(f"{field.name!r} cannot be hidden and unique: the error would tell what others have")
    if field.optional:
        raise CannotWrite(f"{field.name!r} cannot be optional and unique")
    if not field.is_key:
        raise CannotWrite(f"{field.name!r} is too long to be unique: use up to {KEY_MAX} characters")
    values = field.high - field.low + 1 if field.kind != "text" else 10**field.high
    if values < UNIQUE_VALUES_MIN:
        raise CannotWrite(f"{field.name!r} has too few values to be unique")


def check_name(name: str) -> None:
    """:raises CannotWrite: if this is not a name of a field or table."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or len(name) > LONGEST:
        raise CannotWrite(f"{name!r} is not a name in snake_case of at most {LONGEST} characters")
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        raise CannotWrite(f"{name!r} is a keyword of Python")


def snake(name: str) -> str:
    return re.sub("(?<!^)(?=[A-Z])", "_", name).lower()


def camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def plural_of(name: str) -> str:
    """The usual plural in English."""
    if re.search("[^aeiou]y$", name):
        return f"{name[:-1]}ies"
    return name + ("es" if re.search("(s|x|z|ch|sh|[^aeiou]o)$", name) else "s")


def changes(checkout: Path, it: Aggregate) -> dict[str, str]:
    """The new text of each file.

    :raises CannotWrite: if something is there already, or is not where it should be.
    """
    last = max(path.name[:4] for path in (checkout / "alembic/versions").glob("[0-9]*.py"))
    number = f"{int(last) + 1:04}"
    new = {
        f"domain/{it.plural}.py": domain(it),
        f"service_layer/{it.plural}.py": declaration(it),
        f"alembic/versions/{number}_{it.plural}.py": migration(it, number, last),
        f"entrypoints/api/routers/{it.plural}.py": router(it),
        f"tests/api/test_{it.plural}.py": tests(it),
    }
    tables, app = "adapters/sql/mapping/tables.py", "entrypoints/api/app.py"
    for path in new:
        if (checkout / path).exists():
            raise CannotWrite(f"{path} is there already")
    for path in (tables, app):
        if re.search(rf"\b({it.plural}|{it.constant})\b", (checkout / path).read_text()):
            raise CannotWrite(f"{it.plural!r} is taken: {path} uses this name; choose another --plural")
    urn = re.search(r'^PREFIX = "(.+)"$', (checkout / "entrypoints/api/http/problems.py").read_text(), re.MULTILINE)
    edits: dict[str, Callable[[str], str]] = {
        tables: partial(with_table, it),
        app: partial(with_router, it),
        "docs/api.md": partial(documented, it, urn[1] if urn else ""),
        "examples/typescript/client.ts": partial(with_cases, it, urn[1] if urn else ""),
        "CHANGELOG.md": partial(with_change, it),
    }
    for path, edit in edits.items():
        try:
            new[path] = edit((checkout / path).read_text())
        except ValueError as error:
            raise CannotWrite(f"{path} should contain {error}") from None
    for path, text in new.items():
        if path.endswith(".py"):
            check_clashes(path, text)
            new[path] = formatted(checkout, path, text)
    return new


def check_clashes(path: str, text: str) -> None:
    """:raises CannotWrite: if a module would give two things one name."""
    names: Counter[str] = Counter()
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names[node.name] += 1
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names.update({alias.asname or alias.name for alias in node.names})
        elif isinstance(node, ast.Assign):
            names.update(target.id for target in node.targets if isinstance(target, ast.Name))
    for name, count in names.items():
        if count > 1:
            raise CannotWrite(f"{name!r} would have two meanings in {path}: choose another name")


def formatted(checkout: Path, path: str, text: str) -> str:
    """The text as ruff formats it, with imports in order."""
    for command in (["check", "--select=I", "--fix-only"], ["format"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--quiet", "--no-cache", "--stdin-filename", path, "-"]
        result = subprocess.run(ruff, cwd=checkout, input=text, capture_output=True, text=True, check=False)  # noqa: S603  # our own
        if result.returncode:
            raise CannotWrite("ruff fails; run: python3 -m uv run tools/new_aggregate.py …")
        text = result.stdout
    return text


def before(text: str, mark: str, more: str) -> str:
    """Insert something before the only place with this mark.

    :raises ValueError: there is none, or several.
    """
    if text.count(mark) != 1:
        raise ValueError(f"once: {mark.strip()}")
    return text.replace(mark, more + mark)


def domain(it: Aggregate) -> str:
    numbers, texts = ("int" in it.kinds()), ("text" in it.kinds())
    checks = []
    for field in it.fields:
        if field.kind == "text":
            low = f"min_length={field.minimum}, " if field.low else ""
            checks.append(f'check_text("{field.name}", self.{field.name}, {low}max_length={field.maximum})')
        elif field.kind == "int":
            bounds = f"minimum={field.minimum}, maximum={field.maximum}"
            checks.append(f'check_number("{field.name}", self.{field.name}, {bounds})')
    hidden = [f"``{field.name}``" for field in it.fields if field.hidden]
    note = f" {' and '.join(hidden)} {'are' if len(hidden) > 1 else 'is'} never part of a response." if hidden else ""
    lines = [f"    {field.name}: {field.type_}{default_of(field)}\n" for field in it.fields]
    taken = "".join(
        f'''

class {it.taken(field)}(AlreadyTaken):
    """Another {it.words} has this {field.words}."""

    message = "{field.words.capitalize()} already taken"
'''
        for field in it.unique
    )
    constants = "".join(f"{name} = {bound}\n" for field in it.fields for name, bound in field.constants.items())
    checked = "".join(f"        {check}\n" for check in checks)
    imports = ["from domain.numbers import check_number\n"] * numbers + ["from domain.text import check_text\n"] * texts
    return f'''"""{it.many.capitalize()}."""

from dataclasses import dataclass{", field" if hidden else ""}

from domain.errors import {"AlreadyTaken, " if it.unique else ""}NotFound
{"".join(imports)}
{constants}

class {it.class_}NotFound(NotFound):
    """No {it.words} has this id."""

    message = "{it.words.capitalize()} not found"

{taken}

@dataclass(eq=False, kw_only=True)
class {it.class_}:
    """{it.a.capitalize()}.{note}"""

{"".join(lines)}    id: int | None = None
    version: int = 1

    def __post_init__(self) -> None:
        self.check()

    def check(self) -> None:
        """Check all invariants; stores call this again before they write a change."""
{checked}'''


def default_of(field: Field) -> str:
    if field.hidden:
        return f" = field({'default=None, ' if field.optional else ''}repr=False)"
    return " = None" if field.optional else ""


def declaration(it: Aggregate) -> str:
    filters = {}
    for field in it.keys:
        filters[field.name] = f'Equal("{field.name}")'
        if field.kind == "int":
            filters |= {f"min_{field.name}": f'AtLeast("{field.name}")', f"max_{field.name}": f'AtMost("{field.name}")'}
    ranges = ["AtLeast", "AtMost"] if any(field.kind == "int" for field in it.keys) else []
    equal = ["Equal"] if it.keys else []
    long = [field for field in it.shown if not field.is_key]
    errors = [it.taken(field) for field in it.unique]
    imported = [it.class_, f"{it.class_}NotFound", *errors, *(field.maximum for field in long)]
    unique = ", ".join(f'"{field.name}": {it.taken(field)}' for field in it.unique)
    conditions = ", ".join(f'"{name}": {condition}' for name, condition in filters.items())
    sorts = ", ".join(f'"{field.name}"' for field in it.keys) + "," * (len(it.keys) == 1)
    lengths = ", ".join(f'"{field.name}": {field.maximum}' for field in long)
    parts = [f"unique={{{unique}}},"] if unique else []
    parts += [f"filters={{{conditions}}},", f"sorts=({sorts}),"] if conditions else []
    parts += [f"long_texts={{{lengths}}},"] if long else []
    more = "".join(f"    {part}\n" for part in parts)
    shown = "".join(f"    {field.name}: {field.type_}\n" for field in it.shown)
    return f'''"""How {it.many} are shown, filtered and sorted."""

from typing import TypedDict

from domain.{it.plural} import {", ".join(imported)}
from service_layer.aggregates import {", ".join(["Aggregate", *ranges, *equal])}


class {it.class_}View(TypedDict):
    """{it.a.capitalize()}."""

    id: int
{shown}

{it.constant} = Aggregate(
    name="{it.plural}",
    entity={it.class_},
    view={it.class_}View,
    not_found={it.class_}NotFound,
{more})
'''


def with_table(it: Aggregate, text: str) -> str:
    columns = []
    for field in it.fields:
        null = "" if field.optional else ", nullable=False"
        columns.append(f'Column("{field.name}", {field.column("", "", field.maximum)}{null}),\n')
    keys = [f'UniqueConstraint("{field.name}"),\n' for field in it.unique]
    keys += [f'Index(None, "{field.name}", "id"),\n' for field in it.keys]
    table = f'''{it.plural} = Table(
    "{it.plural}",
    metadata,
    Column("id", Id, primary_key=True),
    {"    ".join(columns)}    Column("version", Integer, nullable=False),
    {"    ".join(keys)}    sqlite_autoincrement=True,
)

'''
    lengths = [field.maximum for field in it.fields if field.kind == "text"]
    imports = f"from domain.{it.plural} import {', '.join(lengths)}\n" if lengths else ""
    text = before(text, "from service_layer.aggregates import", imports)
    text = before(text, "\nmetadata = MetaData(", f"from service_layer.{it.plural} import {it.constant}\n")
    text = before(text, "REMOVED = 0\n", table)
    found = re.search(r"^ENTITIES.*\{.*(\})", text, re.MULTILINE) or re.search(
        r"^ENTITIES.*\{\n(?: .*\n)*(\})", text, re.MULTILINE
    )
    if not found:
        raise ValueError("the dictionary ENTITIES")
    head = text[: found.start(1)].rstrip().rstrip(",")
    return f"{head}, {it.plural}: {it.constant}{text[found.start(1) :]}"


def migration(it: Aggregate, number: str, last: str) -> str:
    columns = [
        f'sa.Column("{field.name}", {field.column("types.", "sa.", field.high)}, nullable={field.optional}),\n'
        for field in it.fields
    ]
    columns += [f'sa.UniqueConstraint("{field.name}", name="uq_{it.plural}_{field.name}"),\n' for field in it.unique]
    index = 'op.create_index("ix_{0}_{1}_id", "{0}", ["{1}", "id"], if_not_exists=True)\n'
    return f'''"""{it.many.capitalize()}."""

import sqlalchemy as sa
from alembic import op

from adapters.sql.mapping import types

revision = "{number}"
down_revision = "{last}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "{it.plural}",
        sa.Column("id", types.Id, nullable=False),
        {"        ".join(columns)}        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_{it.plural}"),
        if_not_exists=True,
        sqlite_autoincrement=True,
    )
    {"    ".join(index.format(it.plural, field.name) for field in it.keys)}

def downgrade() -> None:
    op.drop_table("{it.plural}", if_exists=True)
'''


def router(it: Aggregate) -> str:
    name, class_, plural = it.name, it.class_, it.plural
    aliases, create, update, query = [], [], [], []
    for field in it.fields:
        alias, optional = it.alias(field), field.optional
        metadata = f"*{'text' if field.kind == 'text' else 'whole'}({field.minimum}, {field.maximum})"
        kind = "str" if field.kind == "text" else field.kind
        aliases.append(f"{alias} = Annotated[{kind}, {'Field(strict=True)' if kind == 'bool' else metadata}]\n")
        create.append(f"    {field.name}: {alias}{' | None = None' if optional else ''}\n")
        update.append(f"    {field.name}: {alias} | MISSING{' | None' if optional else ''} = MISSING\n")
    for field in it.keys:
        reader = {"int": "Digits, ", "bool": "TrueOrFalse, "}.get(field.kind, "")
        notes = {field.name: f"{it.many.capitalize()} with exactly this {field.words}."}
        if field.kind == "int":
            notes |= {f"{bound}_{field.name}": f"The {bound}imum {field.words}." for bound in ("min", "max")}
        query += [
            f'    {parameter}: Annotated[{it.alias(field)} | None, {reader}Field(description="{note}")] = None\n'
            for parameter, note in notes.items()
        ]
    schemas = ["Id"] + ["text"] * ("text" in it.kinds()) + ["whole"] * ("int" in it.kinds())
    kinds = {field.kind for field in it.keys}
    schemas += ["Digits"] * ("int" in kinds) + ["TrueOrFalse"] * ("bool" in kinds)
    if it.keys:
        query += [f'    sort: Annotated[str, *sort_by({it.constant})] = "id"\n', "    cursor: Cursor = None\n"]
    queries = ["PageQuery", "strict_query"] + ["Cursor", "sort_by"] * bool(it.keys)
    clears = "; `null` clears one" if any(field.optional for field in it.fields) else ""
    field_ = ", Field" if it.keys or "bool" in it.kinds() else ""
    constants = f"from domain.{plural} import {', '.join(it.constants())}\n" if it.constants() else ""
    return f'''"""The router of ``/{plural}/``, and its schemas."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import MISSING, BaseModel{field_}

{constants}from entrypoints.api.dependencies import UnitOfWorkDep
from entrypoints.api.http.conditional import ConditionsDep
from entrypoints.api.http.idempotency import IdempotencyDep
from entrypoints.api.http.openapi import STORAGE_RESPONSES, Documented
from entrypoints.api.http.preferences import PreferDep
from entrypoints.api.http.responses import created_response, item_response, json_response, page_response
from entrypoints.api.queries import {", ".join(queries)}
from entrypoints.api.routing import PooledRoute
from entrypoints.api.schemas import {", ".join(schemas)}
from service_layer import use_cases
from service_layer.{plural} import {it.constant}

router = APIRouter(prefix="/{plural}", tags=["{plural}"], route_class=PooledRoute, responses=STORAGE_RESPONSES)

documented = Documented({it.constant})

{class_}Id = Annotated[Id, Path(description="The id of {it.a}.")]
{"".join(aliases)}

class {class_}Create(BaseModel):
    """A new {it.words}."""

{"".join(create)}

class {class_}Update(BaseModel):
    """Changes to {it.a}. Fields that are left out stay as they are{clears}."""

{"".join(update)}

class {class_}Query(PageQuery):
    """Filters and sort order for {it.many}."""

    aggregate = {it.constant}

{"".join(query)}

@router.post("/", **documented.create)
def create_{name}(body: {class_}Create, uow: UnitOfWorkDep, idempotent: IdempotencyDep, request: Request) -> Response:
    """Create {it.a}."""
    fields = body.model_dump()
    created = use_cases.create(uow, {it.constant}, fields, idempotent(fields))
    return created_response(created, "/{plural}/", request)


@router.get("/", **documented.list, dependencies=[strict_query])
def list_{plural}(
    query: Annotated[{class_}Query, Query()], uow: UnitOfWorkDep, prefer: PreferDep, request: Request
) -> Response:
    """List {it.many}, filtered and sorted."""
    page = use_cases.list_page(uow, {it.constant}, query.page, query.filter, count=prefer.count)
    return page_response(page, query, request)


@router.get("/{{{name}_id}}", **documented.read)
def read_{name}({name}_id: {class_}Id, uow: UnitOfWorkDep, conditions: ConditionsDep) -> Response:
    """Read one {it.words}."""
    found = use_cases.read(uow, {it.constant}, {name}_id)
    return item_response(found, conditions)


@router.patch("/{{{name}_id}}", **documented.update)
def update_{name}(
    {name}_id: {class_}Id, body: {class_}Update, uow: UnitOfWorkDep, conditions: ConditionsDep
) -> Response:
    """Change the given fields of {it.a}."""
    changed = use_cases.update(uow, {it.constant}, {name}_id, body.model_dump(), conditions.precondition)
    return item_response(changed)


@router.delete("/{{{name}_id}}", **documented.delete)
def delete_{name}({name}_id: {class_}Id, uow: UnitOfWorkDep, conditions: ConditionsDep) -> Response:
    """Delete {it.a}."""
    use_cases.delete(uow, {it.constant}, {name}_id, conditions.precondition)
    return json_response({{"ok": True}})
'''


def with_router(it: Aggregate, text: str) -> str:
    found = re.search(r"^(from entrypoints\.api\.routers import )(.+)$", text, re.MULTILINE)
    listed = re.search(r"^    for router in \((.+)\):$", text, re.MULTILINE)
    if not found or not listed:
        raise ValueError("the import of the routers, and the loop over them")
    names = sorted([*found[2].split(", "), it.plural])
    text = text.replace(found[0], found[1] + ", ".join(names))
    return text.replace(listed[0], listed[0].replace(listed[1], f"{listed[1]}, {it.plural}.router"))


def documented(it: Aggregate, urn: str, text: str) -> str:
    path, one = f"/{it.plural}/", f"/{it.plural}/{{{it.name}_id}}"
    new = ", ".join(field.name + "?" * field.optional for field in it.fields)
    some = ", ".join(f"{field.name}?" for field in it.fields)
    requests = f"""| `POST {path}` `{{{new}}}` | 200 {it.class_}, `Location` | 409, 422 |
| `GET {path}` | 200 list of {it.class_} | 422 |
| `GET {one}` | 200 {it.class_} | 404, 412, 422 |
| `PATCH {one}` `{{{some}}}` | 200 {it.class_} | 404, {"409, " if it.unique else ""}412, 422 |
| `DELETE {one}` | 200 `{{"ok":true}}` | 404, 412, 422 |
"""
    names = ", ".join(f'"{name}"' for name in ("id", *(field.name for field in it.shown)))
    hidden = [f"`{field.name}`" for field in it.fields if field.hidden]
    note = f" {' and '.join(hidden)} {'are' if len(hidden) > 1 else 'is'} never part of a response." if hidden else ""
    filters = [f"`{field.name}`" for field in it.keys]
    filters += [f"`{bound}_{field.name}`" for field in it.keys if field.kind == "int" for bound in ("min", "max")]
    lists = f"`GET {path}` also accepts {', '.join(filters)}, and `sort`.\n\n" if filters else ""
    fields = "".join(f"| `{field.name}` | {field.limits} |\n" for field in it.fields)
    section = f"""## {it.many.capitalize()}

**{it.class_}**: `{{{names}}}`.{note}

| field | limits |
|---|---|
{fields}
{lists}"""
    types = f"| `{urn}{it.name.replace('_', '-')}-not-found` | 404 | there is no {it.words} with this id |\n"
    types += "".join(
        f"| `{urn}{snake(it.taken(field)).replace('_', '-')}` | 409 | another {it.words} has this {field.words} |\n"
        for field in it.unique
    )
    text = before(text, "| `GET /health/live`", requests)
    text = before(text, "## Lists\n", section)
    return before(text, f"| `{urn}invalid-request` |", types)


def with_cases(it: Aggregate, urn: str, text: str) -> str:
    missing = f'    case "{urn}{it.name.replace("_", "-")}-not-found":\n'
    text = before(text, '      return "It is gone.";', missing)
    taken = [snake(it.taken(field)).replace("_", "-") for field in it.unique]
    cases = "".join(f'    case "{urn}{name}":\n' for name in taken)
    return before(text, '    case "about:blank":', cases + '      return "Choose another.";\n' if cases else "")


def with_change(it: Aggregate, text: str) -> str:
    head, mark, rest = text.partition("## Unreleased\n")
    added, bullet, others = rest.partition("\n- ")
    if not bullet:
        raise ValueError("a change below: ## Unreleased")
    what = f"- {it.many.capitalize()}: create, list, read, `PATCH` and `DELETE` at `/{it.plural}/`."
    return f"{head}{mark}{added}\n{what}{bullet}{others}"


def tests(it: Aggregate) -> str:
    hidden = [field for field in it.fields if field.hidden]
    optional = [field for field in it.fields if field.optional]
    ranges = [field for field in it.keys if field.kind == "int"]
    values = {
        "name": it.name,
        "path": f"/{it.plural}/",
        "plural": it.plural,
        "many": it.many.capitalize(),
        "new": "".join(f'"{field.name}": {field.sample("number")}, ' for field in it.fields),
        "shown": json.dumps(["id", *(field.name for field in it.shown)]),
        "all": names(it.fields),
        "required": names(field for field in it.fields if not field.optional),
        "optional": names(optional),
        "hidden": names(hidden),
        "keys": names(it.keys),
        "ranges": names(ranges),
        "unique": names(it.unique),
        "wrong": "".join(f'("{field.name}", {value}), ' for field in it.fields for value in field.wrong),
        "lost": f"{it.words.capitalize()} not found",
        "type": it.name.replace("_", "-"),
    }
    parts = [TESTS]
    parts += [OPTIONAL_TESTS] * bool(optional) + [FILTER_TESTS] * bool(it.keys) + [RANGE_TESTS] * bool(ranges)
    parts += [UNIQUE_TESTS] * bool(it.unique) + [HIDDEN_TESTS] * bool(hidden)
    return "\n\n".join(Template(part).substitute(values) for part in parts)


def names(fields: Iterable[Field]) -> str:
    """Code for a list of their names."""
    return json.dumps([field.name for field in fields])


TESTS = '''"""$many through the API, on every store."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.problems import expect_invalid, expect_problem

SHOWN = $shown
OPTIONAL: list[str] = $optional


def new(number: int) -> dict[str, Any]:
    """A new one. A greater number has greater values, as far as there are any."""
    return {$new}


def created(client: TestClient, number: int, **changes: Any) -> dict[str, Any]:
    """One that was created, as it is shown."""
    response = client.post("$path", json=new(number) | changes)
    assert response.status_code == 200, response.text
    view: dict[str, Any] = response.json()
    return view


def test_what_is_created_can_be_read(client: TestClient) -> None:
    response = client.post("$path", json=new(1))
    view = response.json()
    assert (response.status_code, list(view)) == (200, SHOWN)
    assert view == {"id": view["id"], **{name: new(1)[name] for name in SHOWN[1:]}}
    assert response.headers["Location"] == f"$path{view['id']}"
    assert client.get(response.headers["Location"]).json() == view
    assert client.get("$path").json() == [view]


@pytest.mark.parametrize("field", $required)
def test_required_fields_are_required(client: TestClient, field: str) -> None:
    body = new(1)
    del body[field]
    expect_invalid(client.post("$path", json=body), ["body", field])
    path = f"$path{created(client, 1)['id']}"
    expect_invalid(client.patch(path, json={field: None}), ["body", field])


@pytest.mark.parametrize(("field", "value"), [$wrong])
def test_values_out_of_bounds_are_refused(client: TestClient, field: str, value: object) -> None:
    expect_invalid(client.post("$path", json=new(1) | {field: value}), ["body", field])
    path = f"$path{created(client, 1)['id']}"
    before = client.get(path).json()
    expect_invalid(client.patch(path, json={field: value}), ["body", field])
    assert client.get(path).json() == before


@pytest.mark.parametrize("field", $all)
def test_each_field_can_be_changed_alone(client: TestClient, field: str) -> None:
    view = created(client, 1)
    response = client.patch(f"$path{view['id']}", json={field: new(2)[field]})
    expected = view | ({field: new(2)[field]} if field in SHOWN else {})
    assert (response.status_code, response.json()) == (200, expected)
    assert client.get(f"$path{view['id']}").json() == expected


def test_what_is_deleted_is_gone(client: TestClient) -> None:
    kept, gone = created(client, 1), f"$path{created(client, 2)['id']}"
    assert client.delete(gone).json() == {"ok": True}
    for response in (client.get(gone), client.patch(gone, json=new(3)), client.delete(gone)):
        assert expect_problem(response, 404, "$type-not-found")["detail"] == "$lost"
    assert client.get("$path").json() == [kept]


def test_a_change_can_depend_on_what_was_read(client: TestClient) -> None:
    path = f"$path{created(client, 1)['id']}"
    tag = client.get(path).headers["ETag"]
    assert client.get(path, headers={"If-None-Match": tag}).status_code == 304
    stale = {"If-Match": '"other"'}
    for response in (client.patch(path, json=new(2), headers=stale), client.delete(path, headers=stale)):
        expect_problem(response, 412, "changed-meanwhile")
    assert client.patch(path, json=new(2), headers={"If-Match": tag}).status_code == 200
    assert client.delete(path, headers={"If-Match": client.get(path).headers["ETag"]}).status_code == 200


def test_a_repeated_request_creates_nothing_more(client: TestClient) -> None:
    first, second = (client.post("$path", json=new(1), headers={"Idempotency-Key": "k"}) for _ in range(2))
    assert (first.status_code, second.json()) == (200, first.json())
    assert client.get("$path").json() == [first.json()]
    reused = client.post("$path", json=new(2), headers={"Idempotency-Key": "k"})
    expect_problem(reused, 422, "idempotency-key-reused")


def test_lists_have_pages_and_a_count(client: TestClient) -> None:
    views = [created(client, number) for number in range(3)]
    assert listed(client, "$path?limit=2") == views
    assert client.get("$path?offset=1&limit=1").json() == views[1:2]
    assert client.get("$path", headers={"Prefer": "count=exact"}).headers["X-Total-Count"] == "3"
    expect_invalid(client.get("$path?limit=101"), ["query", "limit"])


def listed(client: TestClient, path: str) -> list[dict[str, Any]]:
    """All rows of a list, page by page."""
    response = client.get(path)
    rows: list[dict[str, Any]] = response.json()
    while "next" in response.links:
        response = client.get(response.links["next"]["url"])
        rows += response.json()
    return rows
'''

OPTIONAL_TESTS = """
@pytest.mark.parametrize("field", OPTIONAL)
def test_optional_fields_can_be_left_out_and_cleared(client: TestClient, field: str) -> None:
    body = new(1)
    del body[field]
    first = client.post("$path", json=body).json()
    assert client.patch(f"$path{first['id']}", json={field: new(1)[field]}).status_code == 200
    cleared = client.patch(f"$path{first['id']}", json={field: None}).json()
    assert first == cleared
    assert cleared.get(field) is None
"""

FILTER_TESTS = """
@pytest.mark.parametrize("field", $keys)
def test_lists_can_be_filtered_by_each_field(client: TestClient, field: str) -> None:
    views = [created(client, number) for number in range(4)]
    for value in {view[field] for view in views}:
        expected = [view for view in views if view[field] == value]
        assert client.get("$path", params={field: value}).json() == expected
        assert listed_by(client, {field: value, "sort": f"-{field}"}) == expected[::-1]


@pytest.mark.parametrize("field", $keys)
def test_lists_can_be_sorted_by_each_field(client: TestClient, field: str) -> None:
    views = [created(client, number) for number in (2, 0, 3, 1)]
    if field in OPTIONAL:
        views.append(created(client, 4, **{field: None}))
    for sort, last in ((field, False), (f"-{field}", True)):
        by_id = sorted(views, key=lambda view: view["id"], reverse=last)
        valued = sorted([each for each in by_id if each[field] is not None], key=lambda view: view[field], reverse=last)
        expected = valued + [each for each in by_id if each[field] is None]
        assert listed_by(client, {"sort": sort, "limit": 1}) == expected


def listed_by(client: TestClient, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    return listed(client, str(client.build_request("GET", "$path", params=parameters).url))
"""

RANGE_TESTS = """
@pytest.mark.parametrize("field", $ranges)
def test_lists_can_be_filtered_by_ranges(client: TestClient, field: str) -> None:
    views = [created(client, number) for number in range(4)]
    least, most = views[1][field], views[2][field]
    between = [view for view in views if least <= view[field] <= most]
    assert client.get("$path", params={f"min_{field}": least, f"max_{field}": most}).json() == between
    above = [view for view in views if view[field] >= least]
    assert client.get("$path", params={f"min_{field}": least}).json() == above
    for wrong in ("1_0", "x", "1.5"):
        expect_invalid(client.get("$path", params={f"min_{field}": wrong}), ["query", f"min_{field}"])
"""

UNIQUE_TESTS = """
@pytest.mark.parametrize("field", $unique)
def test_unique_values_are_taken(client: TestClient, field: str) -> None:
    created(client, 1)
    type = f"$type-{field.replace('_', '-')}-taken"
    expect_problem(client.post("$path", json=new(2) | {field: new(1)[field]}), 409, type)
    other = created(client, 2)
    expect_problem(client.patch(f"$path{other['id']}", json={field: new(1)[field]}), 409, type)
    assert client.patch(f"$path{other['id']}", json={field: new(2)[field]}).status_code == 200
"""

HIDDEN_TESTS = """
@pytest.mark.parametrize("field", $hidden)
def test_hidden_fields_are_never_shown(client: TestClient, field: str) -> None:
    response = client.post("$path", json=new(1), headers={"Idempotency-Key": "k"})
    path = f"$path{response.json()['id']}"
    responses = [response, client.post("$path", json=new(1), headers={"Idempotency-Key": "k"})]
    responses += [client.get("$path"), client.get(path), client.patch(path, json=new(2)), client.delete(path)]
    assert [each.status_code for each in responses] == [200] * len(responses)
    assert [each.text for each in responses if f'"{field}"' in each.text] == []
    expect_invalid(client.get("$path", params={field: new(1)[field]}), ["query", field])
    for sort in (field, f"-{field}"):
        expect_invalid(client.get("$path", params={"sort": sort}), ["query", "sort"])
"""


if __name__ == "__main__":
    main()
