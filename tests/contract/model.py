"""What every store must do, said once more on plain dictionaries.

A store is two tables, ``users`` and ``items``, of rows by id, and the receipts by key; a row is a
dictionary of an entity's fields without its id. Which operation acts at once, which is only noted down, and in
which order the notes are written is the same on every adapter, and stands here.
"""

from collections.abc import Callable, Sequence
from typing import Any
from unicodedata import normalize

from domain.errors import BelongingsError, EmailTaken, InvalidValue, ItemNotFound, StaleVersion, UserNotFound
from domain.items import TITLE_MAX_LENGTH
from service_layer.aggregates import NO_FILTER, Filter
from service_layer.errors import IdempotencyKeyInUse
from service_layer.ports import IdempotencyRecord
from service_layer.read_models import EMBEDDED_ITEMS, ID_MAX, Page, PageParams

Row = dict[str, Any]
Errors = set[type[BelongingsError]]

TABLES = ("users", "items")
NOT_FOUND: dict[str, type[BelongingsError]] = {"users": UserNotFound, "items": ItemNotFound}


def caseless(address: str) -> str:
    """Equal for two spellings of one address: canonical caseless matching, definition D145 of the Unicode Standard."""
    return normalize("NFD", normalize("NFD", address).casefold())


def invalid(table: str, row: Row) -> bool:
    """Whether a row breaks an invariant of its own."""
    if table == "users":
        return "@" not in row["email"]
    cents = 0 if row["price"] is None else row["price"] * 100
    return not row["title"].strip() or len(row["title"]) > TITLE_MAX_LENGTH or cents < 0 or cents != int(cents)


class ModelStore:
    """What is committed, how views show it, and the highest id that each table has ever kept."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[int, Row]] = {table: {} for table in TABLES}
        self.highest = dict.fromkeys(TABLES, 0)
        self.idempotency_records: dict[str, IdempotencyRecord] = {}

    def user(self, id: int) -> Row | None:
        row = self.rows["users"].get(id)
        if row is None:
            return None
        items = [self.item(item) for item in sorted(dict(self._matching_items({"owner_id": id})))[:EMBEDDED_ITEMS]]
        return {"email": row["email"], "id": id, "is_active": row["is_active"], "items": items}

    def users(self, page: PageParams, filter: Filter = NO_FILTER) -> Page[Row | None]:
        return _cut([id for id in self._users_in_order(filter) if id > page.after], page, self.user)

    def count_users(self, filter: Filter = NO_FILTER) -> int:
        return len(self._users_in_order(filter))

    def item(self, id: int) -> Row | None:
        row = self.rows["items"].get(id)
        if row is None:
            return None
        price = None if row["price"] is None else float(row["price"])
        shown = {"title": row["title"], "description": row["description"], "price": price}
        return {**shown, "id": id, "owner_id": row["owner_id"]}

    def items(self, page: PageParams, filter: Filter = NO_FILTER) -> Page[Row | None]:
        """From behind a row of its own that stands where ``after`` is, whatever there is with this id by now."""
        start = (page.after, {page.sort.removeprefix("-"): page.after_value})
        rows = _in_order([*self._matching_items(filter), *([start] if page.after else [])], page.sort)
        behind = rows.index(start) + 1 if page.after else 0
        return _cut([id for id, _ in rows[behind:]], page, self.item)

    def count_items(self, filter: Filter = NO_FILTER) -> int:
        return len(self._matching_items(filter))

    def user_items(self, id: int, page: PageParams) -> Page[Row | None] | None:
        return self.items(page, {"owner_id": id}) if id in self.rows["users"] else None

    def _users_in_order(self, filter: Filter) -> list[int]:
        return sorted(
            id
            for id, row in self.rows["users"].items()
            if caseless(filter.get("email", row["email"])) == caseless(row["email"])
            and filter.get("is_active", row["is_active"]) == row["is_active"]
        )

    def _matching_items(self, filter: Filter) -> list[tuple[int, Row]]:
        return [(id, row) for id, row in self.rows["items"].items() if _matches(row, filter)]


def _matches(row: Row, filter: Filter) -> bool:
    texts = [normalize("NFC", caseless(text)) for text in (row["title"], row["description"] or "")]
    words = [normalize("NFC", caseless(word)) for word in filter.get("q", "").split()]
    least, most = filter.get("min_price"), filter.get("max_price")
    conditions = [
        row["owner_id"] == filter.get("owner_id", row["owner_id"]),
        row["title"] == filter.get("title", row["title"]),
        all(any(word in text for text in texts) for word in words),
        least is most is None or row["price"] is not None,
        row["price"] is None or least is None or least <= row["price"],
        row["price"] is None or most is None or row["price"] <= most,
    ]
    return all(conditions)


def _in_order(rows: list[tuple[int, Row]], sort: str) -> list[tuple[int, Row]]:
    """By id, and then, since sorting is stable, by value; those without one are put behind the others at the end."""
    column, reverse = sort.removeprefix("-"), sort.startswith("-")
    rows = sorted(rows, key=lambda each: each[0], reverse=reverse)
    if column == "id":
        return rows
    valued = [(id, row) for id, row in rows if row[column] is not None]
    valued.sort(key=lambda each: each[1][column], reverse=reverse)
    return valued + [(id, row) for id, row in rows if row[column] is None]


def _cut(ids: Sequence[int], page: PageParams, show: Callable[[int], Row | None]) -> Page[Row | None]:
    rest = ids[page.skip :]
    return Page([show(id) for id in rest[: page.limit]], len(rest) > page.limit)


class ModelUnit:
    """One unit of work. What it is asked to do it does, or it returns the errors of which one must be raised.

    What is changed on an entity is written before anything else is added, removed or committed,
    so that everything takes effect in the order in which it was done. Changes that are written
    together are written in the order of ids; which of their errors is raised is not promised.
    """

    def __init__(self, store: ModelStore) -> None:
        self._store = store
        self.end()

    def end(self) -> None:
        """Forget whatever was not committed, and all entities."""
        self.writing = False
        self.held: dict[str, dict[int, Row]] = {table: {} for table in TABLES}
        self._read: dict[str, dict[int, Row]] = {table: {} for table in TABLES}

    def ids(self, table: str) -> list[int]:
        """The rows that there are for this unit of work, those that it has added among them."""
        return list(self._rows[table] if self.writing else self._store.rows[table])

    def _begin(self) -> None:
        if not self.writing:
            self.writing = True
            self._rows = {table: dict(rows) for table, rows in self._store.rows.items()}
            self._highest = dict(self._store.highest)
            self._receipts = dict(self._store.idempotency_records)

    def add(self, table: str, row: Row) -> Errors:
        """Where there are none, ``added`` is to be told the id."""
        self._begin()
        return self._write() | self._broken(table, row)

    def added(self, table: str, id: int, row: Row) -> None:
        """Ids ascend, and one that was ever committed does not come back."""
        assert self._highest[table] < id <= ID_MAX
        self._highest[table] = id
        self._rows[table][id] = self._read[table][id] = self.held[table][id] = {**row, "version": 1}

    def get(self, table: str, id: int) -> Errors:
        """An entity that is held stays as it is, whatever others do to it."""
        self._begin()
        if id not in self.held[table]:
            if id not in self._rows[table]:
                return {NOT_FOUND[table]}
            self._read[table][id] = self.held[table][id] = self._rows[table][id]
        return set()

    def change(self, table: str, id: int, values: Row) -> None:
        self.held[table][id] = {**self.held[table][id], **values}

    def remove(self, table: str, id: int) -> Errors:
        """What was changed on the entity itself is not written any more; a user's items go too."""
        self._begin()
        was = self._let_go(table, id)
        errors = self._write()
        if was is None or self._version(table, id) != was["version"]:
            return errors | {StaleVersion}
        del self._rows[table][id]
        for item in [item for item, row in self._rows["items"].items() if (table, row["owner_id"]) == ("users", id)]:
            del self._rows["items"][item]
            self._let_go("items", item)
        return errors

    def record(self, key: str, now: int) -> IdempotencyRecord | None:
        self._begin()
        record = self._receipts.get(key)
        return None if record is None or record.expires_at <= now else record

    def add_receipt(self, record: IdempotencyRecord, now: int) -> Errors:
        """Those that have expired are of no account, whether they are forgotten or not."""
        errors: Errors = {IdempotencyKeyInUse} if self.record(record.key, now) else set()
        errors |= self._write()
        if not errors:
            self._receipts[record.key] = record
        return errors

    def commit(self) -> Errors:
        self._begin()
        errors = self._write()
        if not errors:
            self._store.rows, self._store.highest = self._rows, self._highest
            self._store.idempotency_records = self._receipts
        self.writing = False
        return errors

    def _write(self) -> Errors:
        errors: Errors = set()
        for table in TABLES:
            for id, row in sorted(self.held[table].items()):
                if row == self._read[table][id]:
                    continue
                if refused := self._refused(table, row, id):
                    errors |= refused
                else:
                    written = {**row, "version": row["version"] + 1}
                    self._rows[table][id] = self._read[table][id] = self.held[table][id] = written
        return errors

    def _refused(self, table: str, row: Row, id: int) -> Errors:
        """A change that is stale or invalid does not get as far as the constraints."""
        errors: Errors = set()
        if self._version(table, id) != row["version"]:
            errors.add(StaleVersion)
        if invalid(table, row):
            errors.add(InvalidValue)
        return errors or self._broken(table, row, id)

    def _version(self, table: str, id: int) -> int | None:
        return self._rows[table].get(id, {}).get("version")

    def _broken(self, table: str, row: Row, id: int | None = None) -> Errors:
        if table == "items":
            return set() if row["owner_id"] in {None, *self._rows["users"]} else {UserNotFound}
        others = (caseless(other["email"]) for key, other in self._rows["users"].items() if key != id)
        return {EmailTaken} if caseless(row["email"]) in others else set()

    def _let_go(self, table: str, id: int) -> Row | None:
        self.held[table].pop(id, None)
        return self._read[table].pop(id, None)
