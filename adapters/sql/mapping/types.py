"""Column types that behave the same on every database."""

from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Dialect, Integer, String, Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.types import TypeDecorator

Id = BigInteger().with_variant(Integer, "sqlite")
"""64 bits everywhere; SQLite generates ids only for columns of type INTEGER."""


class ExactString(String):
    """Text that is compared and sorted by code points.

    By default MariaDB ignores case, accents and trailing spaces, and PostgreSQL sorts by the locale of its cluster.
    """

    __visit_name__ = "exact_string"


class ExactText(Text):
    """``ExactString`` without a length; on MariaDB up to 16 MB, its default limit for a statement."""

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
    """An amount with two decimal places, stored as an integer number of cents: SQLite's NUMERIC is a float."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        return None if value is None else int(value.scaleb(2))

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value).scaleb(-2)
