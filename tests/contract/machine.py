"""A state machine that does to a store whatever its ports offer, beside the model, in random order."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from domain.items import Item
from domain.users import User
from service_layer.ports import IdempotencyRecord, UnitOfWork
from service_layer.read_models import (
    EMBEDDED_ITEMS,
    ID_MAX,
    ITEMS,
    USERS,
    Page,
    PageParams,
)
from tests.contract.model import TABLES, ModelStore, Row
from tests.contract.paired_units import PairedUnit, expect
from tests.contract.values import (
    KEYS,
    account_changes,
    accounts,
    answers,
    goods,
    goods_changes,
    item_filters,
    keys,
    prices,
    sorts,
    titles,
    user_filters,
)

units = st.integers(0, 1)
rows = st.integers(0, 19)
strangers = st.integers(16, 19)
"""Rows, too, as ``AnyStore.id`` reads them."""
owners = st.none() | rows
commits = st.sampled_from([False, False, True])
lifetimes = st.sampled_from([-1, 0, 1, 4, 1_000])
instants = st.sampled_from([0, 0, 1, 3])
limits = st.sampled_from([1, 2, 3, 100])
skips = st.sampled_from([0, 0, 0, 1, 2, ID_MAX])
ends = st.sampled_from(["leave", "fail", "leave", "commit"])


class AnyStore(RuleBasedStateMachine):
    """Two units of work, in whose blocks anything may happen, and views that show what was committed.

    A unit that has begun to write goes on alone until it commits or leaves, since some stores
    have room for one writer; meanwhile the other one keeps the entities that it got before.
    """

    def __init__(self, unit_of_work: Callable[[], UnitOfWork]) -> None:
        super().__init__()
        self.store = ModelStore()
        self.units = [PairedUnit(unit_of_work(), self.store) for _ in range(2)]
        self.given: dict[str, list[int]] = {table: [] for table in TABLES}
        self.now = 0

    def turn(self, unit: int) -> PairedUnit:
        """The unit that is writing, or else this one, in its block."""
        paired = self.writer() or self.units[unit]
        paired.enter()
        return paired

    def writer(self) -> PairedUnit | None:
        return next((each for each in self.units if each.model.writing), None)

    def id(self, table: str, row: int) -> int:
        """The id of a row that is there or, for the strangers, of one that is gone or never was."""
        there = (self.writer() or self.units[0]).model.ids(table)
        if there and row < 16:
            return there[row % len(there)]
        gone = next((id for id in self.given[table] if id not in there), ID_MAX)
        return [gone, gone, 0, ID_MAX][row % 4]

    def then(self, unit: int, commit: bool) -> None:
        if commit:
            self.turn(unit).commit()

    def touch(self, unit: int, table: str, id: int, values: Row | None) -> None:
        """Change an entity, or remove it where there are no values. What is held can be changed at any time."""
        held = (table, id) in self.units[unit].held
        paired = self.units[unit] if held and values is not None else self.turn(unit)
        if (table, id) in paired.held or paired.get(table, id):
            if values is None:
                paired.remove(table, id)
            else:
                paired.change(table, id, values)

    def race(self, unit: int, table: str, id: int, theirs: Row | None, again: bool, ours: Row | None) -> None:
        """Between getting an entity, or getting it again, and changing or removing it, the other unit of work does."""
        self.turn(unit).commit()
        if self.turn(unit).get(table, id):
            self.turn(unit).commit()
            self.touch(1 - unit, table, id, theirs)
            self.turn(1 - unit).commit()
            if again:
                self.turn(unit).get(table, id)
            self.touch(unit, table, id, ours)
            self.turn(unit).commit()

    @initialize(
        people=st.lists(accounts, min_size=2, max_size=4),
        things=st.lists(goods, min_size=3, max_size=6),
        more=st.sampled_from([0] * 7 + [EMBEDDED_ITEMS]),
    )
    def begin(self, people: list[Row], things: list[Row], more: int) -> None:
        for account in people:
            self.sign_up(0, account, commit=True)
        for number, values in enumerate(things):
            self.keep(0, values, number, commit=False)
        for number in range(more):
            self.keep(0, {"title": f"{number}", "description": None, "price": None}, 0, commit=False)
        self.turn(0).commit()

    @rule(unit=units, account=accounts, commit=commits)
    def sign_up(self, unit: int, account: Row, commit: bool) -> None:
        user = User(**account)
        if self.turn(unit).add("users", user, account) and user.id:
            self.given["users"].insert(0, user.id)
        self.then(unit, commit)

    @rule(unit=units, values=goods, owner=owners, commit=commits)
    def keep(self, unit: int, values: Row, owner: int | None, commit: bool) -> None:
        row = {**values, "owner_id": None if owner is None else self.id("users", owner)}
        item = Item(**row)
        if self.turn(unit).add("items", item, row):
            self.given["items"].insert(0, item.id or 0)
        self.then(unit, commit)

    @rule(unit=units, user=rows, item=rows, commit=commits)
    def get(self, unit: int, user: int, item: int, commit: bool) -> None:
        self.turn(unit).get("users", self.id("users", user))
        self.turn(unit).get("items", self.id("items", item))
        self.then(unit, commit)

    @rule(unit=units, user=rows, values=account_changes, commit=commits)
    def update_user(self, unit: int, user: int, values: Row, commit: bool) -> None:
        self.touch(unit, "users", self.id("users", user), values)
        self.then(unit, commit)

    @rule(unit=units, user=rows, item=rows, how=st.sampled_from(["held", "taken", "given"]), commit=commits)
    def delete_user(self, unit: int, user: int, item: int, how: str, commit: bool) -> None:
        """While an item is held, which may be theirs, or has just been taken from them or given to them."""
        paired, id, item = self.turn(unit), self.id("users", user), self.id("items", item)
        if paired.get("items", item) and how != "held":
            paired.change("items", item, {"owner_id": id if how == "given" else None})
        self.touch(unit, "users", id, None)
        self.then(unit, commit)

    @rule(unit=units, user=rows, account=accounts, heir=st.none() | rows, commit=commits)
    def pass_on_an_address(self, unit: int, user: int, account: Row, heir: int | None, commit: bool) -> None:
        """Change an address and give the former one to somebody else, new or not, before any of it is written."""
        paired, id = self.turn(unit), self.id("users", user)
        if paired.get("users", id):
            former = {"email": paired.held["users", id].email}
            paired.change("users", id, {"email": account["email"]})
            if heir is None:
                self.sign_up(unit, {**account, **former}, commit=False)
            else:
                self.touch(unit, "users", self.id("users", heir), former)
        self.then(unit, commit)

    @rule(unit=units, item=rows, values=goods_changes | st.none(), commit=commits)
    def change_or_remove_item(self, unit: int, item: int, values: Row | None, commit: bool) -> None:
        self.touch(unit, "items", self.id("items", item), values)
        self.then(unit, commit)

    @rule(unit=units, item=rows, owner=owners | strangers, commit=commits)
    def give_item(self, unit: int, item: int, owner: int | None, commit: bool) -> None:
        owner_id = None if owner is None else self.id("users", owner)
        self.touch(unit, "items", self.id("items", item), {"owner_id": owner_id})
        self.then(unit, commit)

    @rule(
        unit=units, user=rows, theirs=account_changes | st.none(), again=st.booleans(), ours=account_changes | st.none()
    )
    def race_for_user(self, unit: int, user: int, theirs: Row | None, again: bool, ours: Row | None) -> None:
        self.race(unit, "users", self.id("users", user), theirs, again, ours)

    @rule(unit=units, item=rows, theirs=goods_changes | st.none(), again=st.booleans(), ours=goods_changes | st.none())
    def race_for_item(self, unit: int, item: int, theirs: Row | None, again: bool, ours: Row | None) -> None:
        self.race(unit, "items", self.id("items", item), theirs, again, ours)

    @rule(unit=units, item=rows, heir=owners, former=st.booleans(), values=goods_changes | st.none())
    def race_for_ownership(self, unit: int, item: int, heir: int | None, former: bool, values: Row | None) -> None:
        """While an item is held, the other unit of work gives it away; then its former or its new owner is removed."""
        self.turn(unit).commit()
        id, owner = self.id("items", item), None if heir is None else self.id("users", heir)
        if self.turn(unit).get("items", id):
            removed = self.turn(unit).held["items", id].owner_id if former else owner
            self.turn(unit).commit()
            self.touch(1 - unit, "items", id, {"owner_id": owner})
            self.turn(1 - unit).commit()
            if removed is not None:
                self.touch(unit, "users", removed, None)
            self.touch(unit, "items", id, values)
            self.turn(unit).commit()

    @rule(unit=units, first=st.booleans(), how=st.sampled_from(["get", "change", "remove"]))
    def return_to_what_was_removed(self, unit: int, first: bool, how: str) -> None:
        """It is found no more, changing it changes nothing, and removing it again is too late."""
        paired = self.turn(unit)
        for (table, id), entity in list(paired.removed.items())[slice(1) if first else slice(-1, None)]:
            if how == "get":
                paired.get(table, id)
            elif how == "remove":
                paired.remove(table, id)
            else:
                setattr(entity, "title" if table == "items" else "hashed_password", "changed")

    @rule(unit=units, end=ends)
    def end(self, unit: int, end: str) -> None:
        if end == "commit":
            self.turn(unit).commit()
        else:
            self.turn(unit).leave(ZeroDivisionError() if end == "fail" else None)

    @rule(unit=units, user=rows, item=rows, limit=limits, skip=skips, first=st.booleans())
    def look(self, unit: int, user: int, item: int, limit: int, skip: int, first: bool) -> None:
        views = self.units[unit].uow.views
        user, item = self.id("users", user), self.id("items", item)
        expect(repr(views.read(USERS, user)), repr(self.store.user(user)))
        expect(repr(views.read(ITEMS, item)), repr(self.store.item(item)))
        page = PageParams(limit=limit, skip=skip, after=0 if first else user)
        expect(shown(views.list(USERS, page)), shown(self.store.users(page)))
        page = PageParams(limit=limit, skip=skip, after=0 if first else item)
        expect(shown(views.list(ITEMS, page)), shown(self.store.items(page)))
        expect(shown(views.user_items(user, page)), shown(self.store.user_items(user, page)))

    @rule(unit=units, conditions=user_filters, user=rows, limit=limits, skip=skips)
    def find_users(self, unit: int, conditions: Row, user: int, limit: int, skip: int) -> None:
        """By any address, and by those of some who are there, in another case."""
        views = self.units[unit].uow.views
        theirs = [row["email"].swapcase() for row in self.store.rows["users"].values()][:5]
        for sought in (conditions, *({**conditions, "email": email} for email in theirs)):
            for after in (0, self.id("users", user)):
                page = PageParams(limit=limit, skip=skip, after=after)
                expect(shown(views.list(USERS, page, sought)), shown(self.store.users(page, sought)))
            expect(views.count(USERS, sought), self.store.count_users(sought))

    @rule(
        unit=units,
        sought=item_filters,
        sort=sorts,
        like=rows,
        item=rows,
        elsewhere=st.fixed_dictionaries({"title": titles, "price": prices}),
        limit=limits,
        skip=skips,
    )
    def find_items(
        self, unit: int, sought: Row, sort: str, like: int, item: int, elsewhere: Row, limit: int, skip: int
    ) -> None:
        """From the beginning, from behind some that are there, and elsewhere; and by what one of them has."""
        views, there = self.units[unit].uow.views, self.store.rows["items"]
        column = sort.removeprefix("-")
        places = [(id, row.get(column)) for id, row in [*there.items()][:8]]
        for after, value in [(0, None), (self.id("items", item) or 1, elsewhere.get(column)), *places]:
            page = PageParams(sort=sort, limit=limit, skip=skip, after=after, after_value=value)
            expect(shown(views.list(ITEMS, page, sought)), shown(self.store.items(page, sought)))
        example = there.get(self.id("items", like))
        page = PageParams(sort=sort)
        for each in (sought, *({**sought, **part} for part in (as_in(example) if example else ()))):
            expect(shown(views.list(ITEMS, page, each)), shown(self.store.items(page, each)))
            expect(views.count(ITEMS, each), self.store.count_items(each))

    @rule(
        unit=units,
        idempotency_records=st.lists(st.tuples(keys, answers, lifetimes), min_size=1, max_size=4),
        passed=instants,
        commit=commits,
    )
    def give_receipts(
        self, unit: int, idempotency_records: list[tuple[str, str, int]], passed: int, commit: bool
    ) -> None:
        """Some may have expired already; time goes on between them."""
        for key, answer, lifetime in idempotency_records:
            self.now += passed
            record = IdempotencyRecord(key, f"{unit} {key}"[:255], answer, self.now + lifetime)
            self.turn(unit).add_receipt(record, self.now)
        self.then(unit, commit)

    @rule(unit=units, passed=instants)
    def look_for_receipts(self, unit: int, passed: int) -> None:
        self.now += passed
        for key in KEYS:
            self.turn(unit).get_receipt(key, self.now)

    @invariant()
    def views_show_what_was_committed(self) -> None:
        views = (self.writer() or self.units[0]).uow.views
        expect(shown(views.list(USERS, PageParams())), shown(self.store.users(PageParams())))
        expect(shown(views.list(ITEMS, PageParams())), shown(self.store.items(PageParams())))

    def teardown(self) -> None:
        for each in self.units:
            each.leave()


def as_in(item: Row) -> list[Row]:
    """Parts of a filter that this item passes, each by one of its own values."""
    return [
        {"title": item["title"]},
        {"q": " ".join(item["title"].swapcase().split()[:2])},
        {"owner_id": item["owner_id"]},
        *([] if item["price"] is None else [{"min_price": item["price"]}, {"max_price": item["price"]}]),
    ]


def shown(page: Page[Any] | None) -> str:
    """Everything about a page, to its types: ``True`` is not 1 and 1 is not 1.0."""
    return "None" if page is None else repr((list(page.rows), page.more))
