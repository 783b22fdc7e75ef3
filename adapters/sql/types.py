"""Column types that mean the same on every database."""

from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Dialect, Integer, String
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


@compiles(ExactString)
def _plain(type_: ExactString, compiler: Any, **options: Any) -> str:
    return f"VARCHAR({type_.length})"


@compiles(ExactString, "postgresql")
def _postgresql(type_: ExactString, compiler: Any, **options: Any) -> str:
    return f'VARCHAR({type_.length}) COLLATE "C"'


@compiles(ExactString, "mysql", "mariadb")
def _mysql(type_: ExactString, compiler: Any, **options: Any) -> str:
    collation = "utf8mb4_nopad_bin" if compiler.dialect.is_mariadb else "utf8mb4_0900_bin"
    return f"VARCHAR({type_.length}) CHARACTER SET utf8mb4 COLLATE {collation}"


class Cents(TypeDecorator[Decimal]):
    """An amount with two places, kept as a whole number of hundredths: SQLite's NUMERIC is a float."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        return None if value is None else int(value.scaleb(2))

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value).scaleb(-2)
