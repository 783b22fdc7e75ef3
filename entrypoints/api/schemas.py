"""The bodies of requests and responses, as ``/openapi.json`` describes them."""

import re
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, cast, get_type_hints

from email_validator import EmailNotValidError, validate_email
from pydantic import (
    MISSING,
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    RootModel,
    WithJsonSchema,
    create_model,
)
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from domain.errors import InvalidValue
from domain.items import DESCRIPTION_MAX_LENGTH, PRICE_MAX, TITLE_MAX_LENGTH, exact_price
from domain.passwords import PASSWORD_MAX_LENGTH, PASSWORD_MIN_LENGTH
from domain.text import check_text
from domain.users import EMAIL_MAX_LENGTH
from service_layer.aggregates import AnyAggregate
from service_layer.items import ItemChanges, NewItem
from service_layer.read_models import EMBEDDED_ITEMS, ID_MAX, PAGE_MAX
from service_layer.users import UserChanges


def _checked_email(text: str) -> str:
    try:
        check_text("email", text, max_length=EMAIL_MAX_LENGTH)  # before it is normalized
        checked = validate_email(text, check_deliverability=False, globally_deliverable=False, test_environment=True)
    except (EmailNotValidError, InvalidValue):  # the message of the first quotes what was sent
        raise PydanticCustomError("email", "Input should be an email address") from None
    if checked.domain.rpartition(".")[2].isdigit():  # an IPv4 address (RFC 3696 §2)
        raise PydanticCustomError("email", "Input should be an email address")
    return checked.normalized


def _checked_text(text: str) -> str:
    try:
        check_text("text", text, max_length=len(text))
    except InvalidValue as error:
        raise PydanticCustomError("text", "Input {reason}", {"reason": error.reason}) from None
    return text


def _json_number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticCustomError("number_type", "Input should be a number")
    return value


def _decimal_digits(value: Any) -> Any:
    """Without this, pydantic reads ``1_0`` as ten and `` 1`` as one."""
    if isinstance(value, str) and not (value.isascii() and value.removeprefix("-").isdigit()):
        raise PydanticCustomError("int_parsing", "Input should be a whole number in decimal digits")
    return value


def _whole_digits(value: Any) -> Any:
    """The number that a query parameter has, for the validators of numbers in bodies."""
    return int(value) if isinstance(value, str) and re.fullmatch(r"-?\d{1,20}", value, re.ASCII) else value


def _truth(value: Any) -> Any:
    """Without this, pydantic reads ``1``, ``yes`` and ``on`` as true."""
    if isinstance(value, str):
        if value not in ("true", "false"):
            raise PydanticCustomError("bool_parsing", "Input should be true or false")
        return value == "true"
    return value


def _price_digits(value: Any) -> Any:
    """Without this, a Decimal is read from ``1_0``, `` 1``, ``1e1`` and ``NaN``."""
    if isinstance(value, str) and not re.fullmatch(r"-?\d{1,20}(\.\d{1,20})?", value, re.ASCII):
        raise PydanticCustomError("decimal_parsing", "Input should be a number in decimal digits")
    return value


Email = Annotated[
    str,
    Field(max_length=EMAIL_MAX_LENGTH),
    AfterValidator(_checked_email),
    WithJsonSchema({"type": "string", "format": "email", "maxLength": EMAIL_MAX_LENGTH}),
]

price_schema: JsonDict = {"type": "number", "format": "double", "minimum": 0, "maximum": float(PRICE_MAX)}

_Price = Annotated[
    Decimal,
    BeforeValidator(_json_number),
    Field(ge=0, max_digits=12, decimal_places=2),
    AfterValidator(exact_price),
    WithJsonSchema(price_schema),
]

PriceDigits = BeforeValidator(_price_digits)
Digits = BeforeValidator(_whole_digits)
TrueOrFalse = BeforeValidator(_truth)
ValidText = AfterValidator(_checked_text)

# The bounds come first: behind a validator they would hold, but not stand in the published schema.
Limit = Annotated[int, Field(ge=1, le=PAGE_MAX), BeforeValidator(_decimal_digits)]
Count = Annotated[int, Field(ge=0, le=ID_MAX), BeforeValidator(_decimal_digits)]
Id = Annotated[int, Field(ge=1, le=ID_MAX), BeforeValidator(_decimal_digits)]
_OwnerId = Annotated[int, Field(ge=1, le=ID_MAX), BeforeValidator(_json_number)]

_WHITE_SPACE = r"\t-\r\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""As Python's ``str.isspace`` has it: what ``\\s`` means differs from one dialect of patterns to the next."""

TEXT = r"^[^\u0000]*$"
SOME_TEXT = rf"^[^\u0000]*[^\u0000{_WHITE_SPACE}][^\u0000]*$"


def text(min_length: int, max_length: int) -> tuple[Any, ...]:
    """The metadata of text with so many code points, in a body or a query."""
    return Field(min_length=min_length, max_length=max_length, json_schema_extra={"pattern": TEXT}), ValidText


def whole(minimum: int, maximum: int) -> tuple[Any, ...]:
    """The metadata of a whole number in a body; in a query, ``Digits`` comes after it."""
    return Field(ge=minimum, le=maximum), BeforeValidator(_json_number)


Title = Annotated[
    str,
    Field(
        min_length=1,
        max_length=TITLE_MAX_LENGTH,
        json_schema_extra={"pattern": SOME_TEXT},
    ),
]
Description = Annotated[str, Field(max_length=DESCRIPTION_MAX_LENGTH, json_schema_extra={"pattern": TEXT})]
Password = Annotated[
    str,
    Field(
        min_length=PASSWORD_MIN_LENGTH,
        max_length=PASSWORD_MAX_LENGTH,
        json_schema_extra={"format": "password", "pattern": TEXT},
    ),
]

BATCH_MAX = 1000

_EXAMPLE_ITEM: JsonDict = {"title": "Portal gun", "description": "Slightly used", "price": 42.5, "id": 7, "owner_id": 1}


def _add_name(schema: JsonDict) -> None:
    properties = cast(dict[str, JsonDict], schema["properties"])
    properties["name"] = properties["title"] | {
        "title": "Name",
        "description": "Alias of `title`, which takes precedence.",
    }


def _new_item_schema(schema: JsonDict) -> None:
    """Require ``title`` or ``name``.

    This form is one that client generators and linters accept. From ``anyOf``, generators make unions.
    """
    _add_name(schema)
    del schema["required"]
    schema["not"] = {"propertyNames": {"not": {"enum": ["title", "name"]}}}
    schema["example"] = {"title": "Portal gun", "description": "Slightly used", "price": 42.5}


def _item_update_schema(schema: JsonDict) -> None:
    _add_name(schema)
    schema["example"] = {"price": 39.99, "owner_id": None}


class UserCreate(BaseModel):
    """A new user."""

    model_config = ConfigDict(json_schema_extra={"example": {"email": "rick@example.com", "password": "wubbalubba"}})

    pool: ClassVar[str] = "hashing"

    email: Annotated[Email, Field(description="Unique; upper and lower case do not matter.")]
    password: Annotated[Password, Field(description="Stored only as an argon2id hash.")]


class UserItemCreate(BaseModel):
    """A new item."""

    model_config = ConfigDict(json_schema_extra=_new_item_schema)

    title: Annotated[
        Title,
        Field(
            validation_alias=AliasChoices("title", "name"),
            description="Not blank.",
        ),
    ]
    description: Description | None = None
    price: Annotated[_Price | None, Field(description="At most two decimal places, stored exactly.")] = None


class ItemCreate(UserItemCreate):
    """A new item, with or without an owner."""

    owner_id: Annotated[_OwnerId | None, Field(description="The id of an existing user.")] = None

    def fields(self) -> NewItem:
        """The same for a use case."""
        return cast(NewItem, self.model_dump())


class ItemBatch(RootModel[Annotated[list[ItemCreate], Field(min_length=1, max_length=BATCH_MAX)]]):
    """New items, of which all are created or none."""

    pool: ClassVar[str] = "batches"


class UserUpdate(BaseModel):
    """Changes to a user. Fields that are left out stay as they are."""

    model_config = ConfigDict(json_schema_extra={"example": {"email": "rick@example.org", "is_active": False}})

    email: Annotated[Email | MISSING, Field(description="Unique; upper and lower case do not matter.")] = MISSING
    password: Annotated[Password | MISSING, Field(description="Stored only as an argon2id hash.")] = MISSING
    is_active: Annotated[bool | MISSING, Field(strict=True)] = MISSING

    @property
    def pool(self) -> str | None:
        """Where a password is hashed, if there is one."""
        return "hashing" if "password" in self.model_fields_set else None

    def changes(self) -> UserChanges:
        """What was given."""
        return cast(UserChanges, self.model_dump())


class ItemUpdate(BaseModel):
    """Changes to an item. Fields that are left out stay as they are; `null` clears one."""

    model_config = ConfigDict(json_schema_extra=_item_update_schema)

    title: Annotated[
        Title | MISSING,
        Field(
            validation_alias=AliasChoices("title", "name"),
            description="Not blank.",
        ),
    ] = MISSING
    description: Description | MISSING | None = MISSING
    price: Annotated[_Price | MISSING | None, Field(description="At most two decimal places, stored exactly.")] = (
        MISSING
    )
    owner_id: Annotated[_OwnerId | MISSING | None, Field(description="The id of an existing user.")] = MISSING

    def changes(self) -> ItemChanges:
        """What was given."""
        return cast(ItemChanges, self.model_dump())


class Item(BaseModel):
    """An item."""

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE_ITEM})

    title: str
    description: str | None
    price: Annotated[float, Field(json_schema_extra={"format": "double"})] | None
    id: Annotated[int, Field(ge=1, le=ID_MAX)]
    owner_id: Annotated[int | None, Field(ge=1, le=ID_MAX)]


class User(BaseModel):
    """A user, with their first items."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"email": "rick@example.com", "id": 1, "is_active": True, "items": [_EXAMPLE_ITEM]}
        }
    )

    email: str
    id: Annotated[int, Field(ge=1, le=ID_MAX)]
    is_active: bool
    items: Annotated[
        list[Item],
        Field(
            max_length=EMBEDDED_ITEMS,
            description=f"The first {EMBEDDED_ITEMS} items by id; `/users/{{id}}/items/` lists all of them.",
        ),
    ]


def response_model(aggregate: AnyAggregate) -> type[BaseModel]:
    """The schema of responses with an aggregate's view."""
    fields = get_type_hints(aggregate.view) | {"id": Annotated[int, Field(ge=1, le=ID_MAX)]}
    return create_model(aggregate.entity.__name__, __doc__=aggregate.view.__doc__, **fields)


class Removed(BaseModel):
    """Confirmation that the resource was deleted."""

    ok: Literal[True]


class Health(BaseModel):
    """The state of the service."""

    status: str
