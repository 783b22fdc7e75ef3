"""The one place that knows every adapter, and picks them by the settings."""

from collections.abc import Callable, Iterator
from pathlib import Path
from time import time

from dependency_injector import containers, providers
from sqlalchemy import URL

from adapters.memory.store import InMemoryStore, InMemoryUnitOfWork
from adapters.password_hashing import Argon2PasswordHasher
from adapters.sql.engine.engines import Engines, Limits, create_engines, is_in_memory, parse_url
from adapters.sql.operations import backup, checking
from adapters.sql.operations.backup import Contents, Progress
from adapters.sql.operations.checking import Finding
from adapters.sql.reading.views import SqlAlchemyViews
from adapters.sql.store import SqlStore
from adapters.sql.writing.sessions import Sessions
from adapters.sql.writing.unit_of_work import SqlAlchemyUnitOfWork
from entrypoints.settings import Settings, WrongSetting, processors
from service_layer.ports import PasswordHasher, RateLimiter, Store, UnitOfWork


def _url(settings: Settings) -> URL:
    try:
        return parse_url(settings.database_url.get_secret_value())
    except ValueError as error:
        raise WrongSetting(f"DATABASE_URL {error}") from None


def _engines(url: URL, limits: Limits) -> Engines:
    try:
        return create_engines(url, limits)
    except (TypeError, ValueError):
        raise WrongSetting("DATABASE_URL has an option that its driver does not take") from None


def _limits(settings: Settings) -> Limits:
    return Limits(
        readers=settings.threads + settings.scan_threads + processors() + 1,  # the last one is for /health/ready
        writers=settings.threads + processors(),  # passwords are hashed in threads of their own, one a processor
        pool_wait=settings.pool_wait,
        connect_wait=settings.connect_wait,
        statement_wait=settings.statement_wait,
        scanners=settings.scan_threads,
        scan_wait=settings.scan_wait,
        deadline=settings.deadline,
    )


def _sign_up_limiter(settings: Settings) -> RateLimiter | None:
    if settings.sign_up_limit is None:
        return None
    from adapters.rate_limiting import FixedWindowLimiter  # takes its time to load, and is off by default

    url = settings.redis_url.get_secret_value() if settings.redis_url else None
    try:
        return FixedWindowLimiter(settings.sign_up_limit, url)
    except ValueError:
        raise WrongSetting("BELONGINGS_REDIS_URL is not a URL of Redis, such as redis://host:6379/0") from None


class Container(containers.DeclarativeContainer):
    """What the entrypoints need, whatever keeps the data."""

    settings = providers.Dependency(instance_of=Settings)
    hasher: providers.Provider[PasswordHasher] = providers.Singleton(Argon2PasswordHasher, threads=processors())
    clock: providers.Provider[float] = providers.Callable(time)
    sign_up_limiter: providers.Provider[RateLimiter | None] = providers.Singleton(_sign_up_limiter, settings)
    store: providers.Provider[Store] = providers.AbstractSingleton(Store)
    unit_of_work: providers.Provider[UnitOfWork] = providers.AbstractFactory(UnitOfWork)


class InMemoryContainer(Container):
    """For ``memory://``."""

    store = providers.Singleton(InMemoryStore, wait=Container.settings.provided.pool_wait)
    unit_of_work = providers.Factory(InMemoryUnitOfWork, store)


class SqlContainer(Container):
    """For every SQL database."""

    url = providers.Singleton(_url, Container.settings)
    limits = providers.Singleton(_limits, Container.settings)
    engines = providers.Singleton(_engines, url, limits)
    sessions = providers.Singleton(Sessions, engines.provided.writer)
    store = providers.Singleton(SqlStore, url, engines, sessions)
    views = providers.Singleton(SqlAlchemyViews, engines.provided.reader, engines.provided.scanner)
    unit_of_work = providers.Factory(SqlAlchemyUnitOfWork, sessions, views)


def build_container(settings: Settings) -> Container:
    """The container for the database that the settings name.

    :raises WrongSetting: ``DATABASE_URL`` names none, or another URL is not what it should be.
    """
    if settings.database_url.get_secret_value() == "memory://":
        container: Container = InMemoryContainer(settings=settings)
    else:
        container = SqlContainer(settings=settings)
        container.engines()  # which connect when they are first used
    container.sign_up_limiter()
    return container


def copy_database(source: str, target: str, progress: Progress) -> dict[str, int]:
    """Copy everything that one database has into another, an empty one; how many rows each table has.

    :param progress: told what is being done, and with how many rows of how many it is done.
    :raises WrongSetting: a URL names no database that can be copied.
    :raises BelongingsError: it was not copied; the message says why.
    """
    from adapters.sql.operations.copying import copy  # Alembic takes its time to load, and nothing else here needs it

    return copy(_kept_database("--from", source), _kept_database("--to", target), progress)


def back_up_database(settings: Settings, file: Path, progress: Progress, *, overwrite: bool) -> Contents:
    """Copy the SQLite file that the settings name, while a service may use it; what the copy holds.

    :raises WrongSetting: the database is not a SQLite file; the message says how else to back it up.
    :raises BelongingsError: it was not copied; the message says why.
    """
    return backup.back_up(_sqlite_file(settings), file, progress, overwrite=overwrite)


def restore_database(settings: Settings, file: Path, progress: Progress) -> tuple[Contents, Path | None]:
    """Put a copy in the place of the SQLite file that the settings name, which no service may use meanwhile.

    :return: what it holds, and where the file is that was there before.
    :raises WrongSetting: the database is not a SQLite file; the message says how else to restore it.
    :raises BelongingsError: nothing was changed; the message says why.
    """
    return backup.restore(file, _sqlite_file(settings), progress)


def check_database(settings: Settings) -> Iterator[Finding]:
    """What is wrong in the SQL database that the settings name, while a service may use it.

    :raises WrongSetting: there is no database to check.
    :raises BelongingsError: it could not be checked; the message says why.
    """
    return checking.check(_kept_database("DATABASE_URL", settings.database_url.get_secret_value()))


def repair_database(settings: Settings, note: Callable[[Path], object], *, backed_up: bool) -> Iterator[Finding]:
    """The same, and what was done about it.

    :param note: called with the file into which a SQLite database was copied before the first change.
    :param backed_up: whether there is a backup already. A server's database is not repaired without.
    """
    url = _kept_database("DATABASE_URL", settings.database_url.get_secret_value())

    def back_up() -> None:
        if not backed_up:
            note(checking.back_up_before_repair(_sqlite_file(settings)))

    if url.get_backend_name() != "sqlite" and not backed_up:
        raise WrongSetting(
            "--repair changes rows: back up the database as docs/operating.md says, then add --backed-up"
        )
    return checking.repair(url, back_up)


def _sqlite_file(settings: Settings) -> Path:
    url = _kept_database("DATABASE_URL", settings.database_url.get_secret_value())
    kind = url.get_backend_name()
    if kind != "sqlite":
        tools = "pg_dump and pg_restore" if kind == "postgresql" else "mariadb-dump and mariadb"
        raise WrongSetting(f"DATABASE_URL names a server, which has {tools} for this; see docs/operating.md")
    return Path(str(url.database))


def _kept_database(option: str, text: str) -> URL:
    try:
        url = None if text == "memory://" else parse_url(text)
    except ValueError as error:
        raise WrongSetting(f"{option} {error}") from None
    if url is None or is_in_memory(url):
        raise WrongSetting(f"{option} names a database in memory, which no other process can reach")
    return url
