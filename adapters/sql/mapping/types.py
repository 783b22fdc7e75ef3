"""Column types that mean the same on every database."""

from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Dialect, Integer, String, Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.types import TypeDecorator

Id = BigInteger().with_variant(Integer, "sqlite")
"""64 bits everywhere; SQLite gives ids by itself only to a column of type INTEGER."""


class ExactString(String):
    """Text that is compared and sorted by its code points.

    Left to themselves MariaDB folds case and accents and ignores trailing blanks, and
    PostgreSQL sorts by the locale that its cluster was made with.
    """

    __visit_name__ = "exact_string"


class ExactText(Text):
    """The same without a length: on MariaDB up to 16 MB, as much as a statement can have there by default."""

    __visit_name__ = "exact_text"


@compiles(ExactString)
@compiles(ExactText)
def _plain(type_: ExactString | ExactText, compiler: Any, **options: Any) -> str:
    return f"VARCHAR({type_.length})" if isinstance(type_, ExactString) else "TEXT"


@compiles(ExactString, "postgresql")
@compiles(ExactText, "postgresql")
def _postgresql(type_: ExactString | ExactText, compiler: Any, **options: Any) -> str:
    return f'{_plain(type_, compiler)} COLLATE "C"'


@compiles(ExactString, "mysql", "mariadb")
@compiles(ExactText, "mysql", "mariadb")
def _mysql(type_: ExactString | ExactText, compiler: Any, **options: Any) -> str:
    kind = _plain(type_, compiler).replace("TEXT", "MEDIUMTEXT")
    collation = "utf8mb4_nopad_bin" if compiler.dialect.is_mariadb else "utf8mb4_0900_bin"
    return f"{kind} CHARACTER SET utf8mb4 COLLATE {collation}"


class Cents(TypeDecorator[Decimal]):
    """An amount with two places, kept as a whole number of hundredths: SQLite's NUMERIC is a float."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        return None if value is None else int(value.scaleb(2))

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value).scaleb(-2)
