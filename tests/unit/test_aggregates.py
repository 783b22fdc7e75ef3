from decimal import Decimal

import pytest

from adapters.sql.mapping.tables import ENTITIES
from domain.items import Item
from domain.text import fold_text
from service_layer.aggregates import AnyAggregate, AtLeast, AtMost, Condition, Equal, Words
from service_layer.read_models import ITEMS, USERS
from tests.contract.samples import values


@pytest.mark.parametrize(
    ("condition", "value", "stored", "matches"),
    [
        (Equal("title"), "Brass", "Brass", True),
        (Equal("title"), "Brass", "brass", False),
        (Equal("email_key", fold_text), "Brass", "brass", True),
        (Equal("owner_id", int), None, None, True),
        (Equal("owner_id"), None, 1, False),
        (Equal("owner_id"), 1, None, False),
        (AtLeast("price"), 2, 2, True),
        (AtLeast("price"), 2, 1, False),
        (AtLeast("price"), 2, None, False),
        (AtMost("price"), 2, 2, True),
        (AtMost("price"), 2, 3, False),
        (AtMost("price"), 2, None, False),
        (Words("search_text"), "ASS  la", "a brass lamp", True),
        (Words("search_text"), "brass iron", "a brass lamp", False),
    ],
)
def test_conditions(condition: Condition, value: object, stored: object, matches: bool) -> None:
    assert condition.predicate(value)(stored) is matches


@pytest.mark.parametrize("aggregate", ENTITIES.values(), ids=repr)
def test_a_declaration_names_columns(aggregate: AnyAggregate) -> None:
    entity = aggregate.entity(**values(aggregate, 1))
    named = {each.column for each in aggregate.filters.values()} | {*aggregate.sorts, *aggregate.unique}
    assert named | aggregate.references.keys() | aggregate.long_texts.keys() <= vars(entity).keys()


def test_types_follow_from_the_class() -> None:
    assert (ITEMS.kind("price"), ITEMS.is_nullable("price")) == (Decimal, True)
    assert (ITEMS.kind("title"), ITEMS.is_nullable("title")) == (str, False)


def test_a_view_has_the_fields_of_its_class_in_order() -> None:
    item = Item(id=7, title="A brass lamp", price=Decimal("1.50"))
    assert list(ITEMS.view_of(item).items()) == [
        ("title", "A brass lamp"),
        ("description", None),
        ("price", 1.5),
        ("id", 7),
        ("owner_id", None),
    ]
    assert USERS.columns == ("email", "id", "is_active")


def test_what_is_not_stored_has_no_view() -> None:
    with pytest.raises(ValueError, match="no id"):
        ITEMS.view_of(Item(title="A brass lamp"))


def test_a_stack_trace_shows_which_aggregate_it_is() -> None:
    assert repr(ITEMS) == "<aggregate items>"
