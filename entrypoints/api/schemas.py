"""What clients send and get, as the documentation shows it."""

from decimal import Decimal
from typing import Annotated, Any

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from domain.items import DESCRIPTION_MAX_LENGTH, PRICE_MAX, TITLE_MAX_LENGTH
from domain.passwords import PASSWORD_MAX_LENGTH, PASSWORD_MIN_LENGTH
from domain.users import EMAIL_MAX_LENGTH
from service_layer.read_models import EMBEDDED_ITEMS, ID_MAX, PAGE_MAX, PageRequest


def _checked_email(text: str) -> str:
    try:
        checked = validate_email(text, check_deliverability=False, globally_deliverable=False, test_environment=True)
        return checked.normalized
    except EmailNotValidError:  # its message quotes what was sent
        raise PydanticCustomError("email", "Input should be an email address") from None


def _json_number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticCustomError("number_type", "Input should be a number")
    return value


def _decimal_digits(value: Any) -> Any:
    """Without this, pydantic reads ``1_0`` as ten and `` 1`` as one."""
    if isinstance(value, str) and not (value.isascii() and value.removeprefix("-").isdigit()):
        raise PydanticCustomError("int_parsing", "Input should be a whole number in decimal digits")
    return value


Email = Annotated[
    str,
    Field(max_length=EMAIL_MAX_LENGTH),
    AfterValidator(_checked_email),
    WithJsonSchema({"type": "string", "format": "email", "maxLength": EMAIL_MAX_LENGTH}),
]

_Price = Annotated[
    Decimal,
    BeforeValidator(_json_number),
    Field(ge=0, max_digits=12, decimal_places=2),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": float(PRICE_MAX), "multipleOf": 0.01}),
]

# The bounds come first: behind a validator they would hold, but not stand in the published schema.
Limit = Annotated[int, Field(ge=1, le=PAGE_MAX), BeforeValidator(_decimal_digits)]
Count = Annotated[int, Field(ge=0, le=ID_MAX), BeforeValidator(_decimal_digits)]
Id = Annotated[int, Field(ge=1, le=ID_MAX), BeforeValidator(_decimal_digits)]
_OwnerId = Annotated[int, Field(ge=1, le=ID_MAX), BeforeValidator(_json_number)]

_WHITE_SPACE = r"\t-\r\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""As Python's ``str.isspace`` has it: what ``\\s`` means differs from one dialect of patterns to the next."""

_EXAMPLE_ITEM: JsonDict = {"title": "Portal gun", "description": "Slightly used", "price": 42.5, "id": 7, "owner_id": 1}


class UserCreate(BaseModel):
    """Somebody who signs up."""

    model_config = ConfigDict(json_schema_extra={"example": {"email": "rick@example.com", "password": "wubbalubba"}})

    email: Annotated[Email, Field(description="Unique, without regard to upper and lower case.")]
    password: Annotated[
        str,
        Field(
            min_length=PASSWORD_MIN_LENGTH,
            max_length=PASSWORD_MAX_LENGTH,
            description="Kept as an argon2id hash only.",
            json_schema_extra={"format": "password", "pattern": r"^[^\u0000]*$"},
        ),
    ]


class UserItemCreate(BaseModel):
    """A new item."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"title": "Portal gun", "description": "Slightly used", "price": 42.5}}
    )

    title: Annotated[
        str,
        Field(
            min_length=1,
            max_length=TITLE_MAX_LENGTH,
            validation_alias=AliasChoices("title", "name"),
            description="Not blank. `name` is taken as another spelling of `title`.",
            json_schema_extra={"pattern": rf"^[^\u0000]*[^\u0000{_WHITE_SPACE}][^\u0000]*$"},
        ),
    ]
    description: Annotated[
        str | None,
        Field(
            max_length=DESCRIPTION_MAX_LENGTH,
            json_schema_extra={"pattern": r"^[^\u0000]*$"},
        ),
    ] = None
    price: Annotated[_Price | None, Field(description="At most two decimal places; kept exactly.")] = None


class ItemCreate(UserItemCreate):
    """A new item, with an owner or without."""

    owner_id: Annotated[_OwnerId | None, Field(description="The id of a user that exists.")] = None


class Item(BaseModel):
    """An item."""

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE_ITEM})

    title: str
    description: str | None
    price: float | None
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
            description=f"The first {EMBEDDED_ITEMS}, in id order; all of them are at `/users/{{id}}/items/`.",
        ),
    ]


class Health(BaseModel):
    """That the service is well."""

    status: str


class WantedPage(BaseModel):
    """Which part of a list is wanted. What is not known is refused, since it would change nothing."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[Limit, Field(description="How many rows at most.")] = PAGE_MAX
    skip: Annotated[Count | None, Field(description="How many rows to pass over. Deep pages are slow this way.")] = None
    after: Annotated[
        Count, Field(description="Only rows with a greater id. Deep pages cost what the first one costs.")
    ] = 0
    offset: Annotated[Count, Field(description="Another spelling of `skip`; that one wins.")] = 0

    def request(self) -> PageRequest:
        """The same, with one word for each thing."""
        return PageRequest(limit=self.limit, skip=self.offset if self.skip is None else self.skip, after=self.after)
