"""Values for users and items as hypothesis draws them: often alike, and often hard to keep."""

from decimal import Decimal

from hypothesis import strategies as st

from domain.items import DESCRIPTION_MAX_LENGTH, PRICE_MAX, TITLE_MAX_LENGTH
from domain.users import EMAIL_MAX_LENGTH
from service_layer.read_models import ITEMS

_DOMAIN = "@example.com"

ALIKE = [
    "ana@example.com",
    "Ana@EXAMPLE.com",
    "jos\u00e9@example.com",
    "jose\u0301@example.com",
    "JOSE\u0301@example.com",
    "straße@example.com",
    "STRAẞE@example.com",
    "STRASSE@example.com",
]
ADDRESSES = [
    *ALIKE,
    "jose@example.com",
    "ａｎａ@example.com",
    "ＡＮＡ@example.com",
    "ana\u200b@example.com",
    "i@example.com",
    "I@example.com",
    "ı@example.com",
    "İ@example.com",
    "i\u0307@example.com",
    "\u1fb7@example.com",  # alpha with two accents in lower case
    "\u1fbc\u0342@example.com",  # and in title case
    "a%_'\"\\{}@b@example.com",
    "\U0001f600" * (EMAIL_MAX_LENGTH - len(_DOMAIN)) + _DOMAIN,
]
TEXTS = [
    "Towel",
    "towel",
    "Towel  ",
    "  Towel",
    "e\u0301",
    "\u00e9",
    "ß ẞ ss SS",
    "ı I İ i",
    "ｆｕｌｌ ＷＩＤＴＨ",
    "\U0001f600 \U0001d518 \U0010ffff",
    "100 %_ %s %(x)s {} {0} :name ? \\ \\' ' \" ` ; --",
    "\u0001\t\r\n\u0085\u2028\u200b\ufeff\uffff",
]

_any = st.characters(codec="utf-8", exclude_characters="\x00")
_visible = st.characters(codec="utf-8", exclude_categories=["C", "Z"])

addresses = st.one_of(
    st.sampled_from(ALIKE),
    st.sampled_from(ADDRESSES),
    st.text(_visible, min_size=1, max_size=40).map(lambda local: local + _DOMAIN),
)
hashes = st.sampled_from(["", "x", "\U0001f600" * 255]) | st.text(_any, max_size=255)
titles = st.one_of(
    st.sampled_from([*TEXTS, "\U0001f600" * TITLE_MAX_LENGTH]),
    st.text(_any, min_size=1, max_size=TITLE_MAX_LENGTH).filter(lambda title: not title.isspace()),
)
descriptions = st.one_of(
    st.none(), st.sampled_from(["", *TEXTS, "\U0001f600" * DESCRIPTION_MAX_LENGTH]), st.text(_any, max_size=300)
)
prices = st.one_of(
    st.none(),
    st.sampled_from([Decimal("0.01"), Decimal("0.29"), Decimal("1.15"), Decimal(0), PRICE_MAX]),
    *(st.decimals(0, PRICE_MAX, places=places) for places in range(3)),
)

_account = {"email": addresses, "hashed_password": hashes, "is_active": st.booleans()}
accounts = st.fixed_dictionaries(_account)
account_changes = st.one_of(
    accounts,
    st.fixed_dictionaries({"email": addresses | st.just("not an address")}),
    st.fixed_dictionaries({"hashed_password": hashes}),
    st.fixed_dictionaries({"is_active": st.booleans()}),
)

_goods = {"title": titles, "description": descriptions, "price": prices}
goods = st.fixed_dictionaries(_goods)
goods_changes = st.one_of(
    goods,
    st.fixed_dictionaries({"title": titles | st.sampled_from([" ", "x" * (TITLE_MAX_LENGTH + 1)])}),
    st.fixed_dictionaries({"description": descriptions}),
    st.fixed_dictionaries({"price": prices | st.sampled_from([Decimal("-0.01"), Decimal("0.001")])}),
)
"""Some of these break an invariant; ``model.invalid`` knows which."""

WORDS = [
    "towel",
    "OWE",
    "e",
    "E\u0301",
    "\u00c9",
    "\u0301",
    "SS",
    "ß",
    "i",
    "ı",
    "ＦＵＬＬ",
    "full",
    "\U0001f600",
    "%",
    "_",
    "\\",
    "100%",
    "%_",
    "\\'",
    "';",
    "{0}",
    "%(x)s",
    ":name",
    "\u200b",
    "0",
]
"""Words without white space. By ``domain.text.fold_text`` some occur in ``TEXTS``; by other rules others would."""

bounds = (
    prices.filter(lambda price: price is not None)
    | st.decimals(-1, PRICE_MAX * 2, places=4)
    | st.just(Decimal("1E+30"))
)
sorts = st.sampled_from([sign + column for column in ("id", *ITEMS.sorts) for sign in ("", "-")])
item_filters = st.one_of(
    st.just({}),
    st.just({"owner_id": None}),
    st.fixed_dictionaries({"title": titles}),
    st.fixed_dictionaries({"q": st.lists(st.sampled_from(WORDS), max_size=2).map(" ".join)}),
    st.fixed_dictionaries({}, optional={"min_price": bounds, "max_price": bounds}),
)
user_filters = st.fixed_dictionaries({}, optional={"email": addresses, "is_active": st.booleans()})

KEYS = ["key", "KEY", "key ", "ke", "k\u00e9y", "ke\u0301y", "%", "\U0001f600" * 255]
keys = st.sampled_from(KEYS)
answers = st.sampled_from(["null", "1", '{"text": "\U0001f600 \\u2028 %s \'"}', f'"{"x" * 1_000}"'])
