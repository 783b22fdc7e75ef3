"""The settings, from environment variables or a ``.env`` file in the current folder."""

import os
import re
from collections.abc import Iterator
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Annotated

from dotenv.parser import parse_stream
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    IPvAnyNetwork,
    SecretStr,
    StringConstraints,
    ValidationError,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from domain.passwords import PASSWORD_MAX_LENGTH, PASSWORD_MIN_LENGTH
from entrypoints.logging import AccessLog, Format, log_json, log_text

PREFIX = "BELONGINGS_"
_ENV_FILE = ".env"
_TRACE_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


_Separated = BeforeValidator(lambda given: given.replace(",", " ").split() if isinstance(given, str) else given)
"""Splits a list that is separated by commas or spaces."""

_HostName = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9._-]+|\*)$", to_lower=True)]


def _check_port(origin: str) -> str:
    if re.fullmatch("https://.*:443|http://.*:80", origin):
        raise PydanticCustomError("origin", "Leave out :443 after https and :80 after http, as browsers do")
    return origin


_Origin = Annotated[
    str, StringConstraints(pattern=r"^(https?://[^/?#@*\s]+|\*)$", to_lower=True), AfterValidator(_check_port)
]


class WrongSetting(Exception):
    """A setting cannot be used; the message is one line and does not repeat its value."""


def _check_tracing(enabled: bool) -> bool:
    if enabled and not any(os.environ.get(name) for name in _TRACE_ENDPOINTS):
        raise PydanticCustomError("tracing", "OTEL_EXPORTER_OTLP_ENDPOINT must say where traces go")
    try:
        if enabled:
            import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    except ImportError:
        raise PydanticCustomError("tracing", "Its packages are missing; install belongings[tracing]") from None
    return enabled


class Settings(BaseSettings):
    """All settings with their defaults and descriptions, as ``belongings settings`` lists them."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=_ENV_FILE, extra="ignore", frozen=True, populate_by_name=True
    )

    database_url: Annotated[
        SecretStr,
        Field(
            validation_alias="DATABASE_URL",
            description="The database: sqlite:///file, postgresql://…, mysql://…, mariadb://…, or memory://",
        ),
    ] = SecretStr("sqlite:///belongings.db")
    host: Annotated[str, Field(description="The address to listen on")] = "127.0.0.1"
    open_to_network: Annotated[
        bool, Field(description="Allow an address that other machines can reach, although there is no sign-in")
    ] = False
    port: Annotated[int, Field(ge=0, le=65535, description="The port to listen on; 0 picks a free one")] = 8000
    workers: Annotated[int, Field(ge=1, le=64, description="Number of worker processes")] = 1
    tls_certificate: Annotated[
        str | None,
        Field(min_length=1, description="PEM file with the certificate chain; enables TLS, and turns plain HTTP off"),
    ] = None
    tls_key: Annotated[
        str | None, Field(description="PEM file with the private key; not needed if the certificate file contains it")
    ] = None
    trusted_proxies: Annotated[
        tuple[IPvAnyNetwork, ...] | None,
        NoDecode,
        _Separated,
        Field(description="Proxies (addresses, networks) whose X-Forwarded-For and X-Forwarded-Proto are trusted"),
    ] = None
    root_path: Annotated[
        str | None,
        Field(
            pattern=r"^(/\.{0,2}[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*$",  # no segment is . or ..
            description="The path prefix that a proxy strips, such as /belongings",
        ),
    ] = None
    hosts: Annotated[
        tuple[_HostName, ...] | None,
        NoDecode,
        _Separated,
        Field(
            description="Host names to serve in addition to localhost and IP addresses, such as api.example.com; "
            "* allows all"
        ),
    ] = None
    cors_origins: Annotated[
        tuple[_Origin, ...] | None,
        NoDecode,
        _Separated,
        Field(description="Origins whose pages may call the API, such as https://app.example.com; * allows all"),
    ] = None
    threads: Annotated[
        int,
        Field(ge=1, le=64, description="Threads per process for reads, and as many for writes"),
    ] = 4
    scan_threads: Annotated[
        int,
        Field(ge=1, le=64, description="Threads per process for searches and other lists that need a scan"),
    ] = 1
    scan_wait: Annotated[
        float,
        Field(gt=0, le=60, description="Seconds that a scan may take in the database before it times out with 503"),
    ] = 2.0
    deadline: Annotated[
        float, Field(gt=0, le=60, description="Seconds within which every request is answered, with 503 if necessary")
    ] = 5.0
    queue: Annotated[
        int,
        Field(
            ge=1,
            le=100_000,
            description="Maximum number of reads that wait for a thread, and of writes, and of sign-ups",
        ),
    ] = 1000
    pool_wait: Annotated[
        float, Field(gt=0, le=60, description="Seconds to wait for a thread, or for a pooled connection, before a 503")
    ] = 3.0
    connect_wait: Annotated[int, Field(ge=1, le=60, description="Seconds to wait for a new database connection")] = 3
    statement_wait: Annotated[int, Field(ge=1, le=60, description="Seconds that a statement may run")] = 4
    connections: Annotated[
        int, Field(ge=10, le=100_000, description="Maximum number of client connections per process")
    ] = 800
    requests: Annotated[
        int,
        Field(
            ge=1, le=100_000, description="Maximum number of concurrent requests per process; further ones get a 503"
        ),
    ] = 500
    head_wait: Annotated[
        float, Field(gt=0, le=600, description="Seconds within which a client must send the request line and headers")
    ] = 10.0
    body_wait: Annotated[
        float, Field(gt=0, le=600, description="Seconds within which a client must send a body, or read a response")
    ] = 30.0
    page_bytes: Annotated[
        int,
        Field(
            ge=64 * 1024,
            le=4 * 1024 * 1024,
            description="Bytes of JSON after which a page of a list ends early",
        ),
    ] = 4 * 1024 * 1024
    sign_up_limit: Annotated[
        str | None,
        Field(
            pattern=r"^[1-9][0-9]{0,5}/(second|minute|hour|day)$",
            description="Sign-ups and password changes allowed per client address, such as 10/hour; unset means no "
            "limit",
        ),
    ] = None
    redis_url: Annotated[
        SecretStr | None,
        Field(description="A Redis where all processes share the sign-up counts; unset, each counts for itself"),
    ] = None
    log_format: Annotated[Format, Field(description="Log format: text, or json for one JSON object per line")] = "text"
    metrics: Annotated[bool, Field(description="Serve metrics for Prometheus at /metrics")] = True
    docs: Annotated[bool, Field(description="Serve /docs, /redoc and /openapi.json")] = True
    tracing: Annotated[
        bool,
        AfterValidator(_check_tracing),
        Field(description="Trace requests with OpenTelemetry, as configured by the OTEL_… variables"),
    ] = False
    log_requests: Annotated[bool, Field(description="Log one line per request")] = True
    password_min_length: Annotated[
        int,
        Field(ge=PASSWORD_MIN_LENGTH, le=PASSWORD_MAX_LENGTH, description="Minimum length of a new password"),
    ] = PASSWORD_MIN_LENGTH


def load_settings() -> Settings:
    """Read the settings.

    :raises WrongSetting: a value is not valid, or a variable with the prefix is not a setting.
    """
    known = {variable(field) for field in Settings.model_fields}
    for name in _variable_names():
        if name.startswith(PREFIX) and name not in known:
            raise WrongSetting(f"{name} is not a setting; see: belongings settings")
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = variable(str(first["loc"][0]))
        raise WrongSetting(f"{name}: {first['msg']}") from None


def variable(field: str) -> str:
    """The environment variable that sets a field."""
    return "DATABASE_URL" if field in ("database_url", "DATABASE_URL") else PREFIX + field.upper()


def _variable_names() -> Iterator[str]:
    yield from (name.upper() for name in os.environ)
    for statement in parse_stream(StringIO(_env_file())):
        if statement.error:  # it would be skipped
            text = statement.original.string
            line = statement.original.line + text[: -len(text.lstrip())].count("\n")
            raise WrongSetting(f"{_ENV_FILE}, line {line}: not a name and a value; is a quote missing?")
        yield (statement.key or "").upper()


def _env_file() -> str:
    try:
        return Path(_ENV_FILE).read_text("utf-8") if Path(_ENV_FILE).is_file() else ""
    except UnicodeDecodeError:
        raise WrongSetting(f"{_ENV_FILE} is not UTF-8 text") from None


def access_log(settings: Settings) -> AccessLog | None:
    """The function that logs each request; None if requests are not logged."""
    return {"text": log_text, "json": log_json}[settings.log_format] if settings.log_requests else None


def processors() -> int:
    """The number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
