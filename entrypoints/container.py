"""The container: the only module that imports every adapter. It picks them by the settings."""

from time import time

from dependency_injector import containers, providers
from sqlalchemy import URL

from adapters.memory.store import InMemoryStore, InMemoryUnitOfWork
from adapters.password_hashing import Argon2PasswordHasher
from adapters.sql.engine.engines import Limits, create_engines, is_in_memory, parse_url
from adapters.sql.reading.views import SqlAlchemyViews
from adapters.sql.store import SqlStore
from adapters.sql.writing.sessions import Sessions
from adapters.sql.writing.unit_of_work import SqlAlchemyUnitOfWork
from entrypoints.settings import Settings, WrongSetting, processors
from service_layer.operations import DatabaseOperations
from service_layer.ports import PasswordHasher, RateLimiter, Store, UnitOfWork


def _parse(name: str, url: str) -> URL:
    try:
        return parse_url(url)
    except ValueError as error:
        raise WrongSetting(f"{name} {error}") from None


def _url(settings: Settings) -> URL:
    return _parse("DATABASE_URL", settings.database_url.get_secret_value())


def _limits(settings: Settings) -> Limits:
    return Limits(
        readers=2 * settings.threads + settings.scan_threads + processors() + 1,  # the last for /health/ready
        writers=settings.threads + processors() + 1,  # hashing has one thread per processor, batches one
        pool_wait=settings.pool_wait,
        connect_wait=settings.connect_wait,
        statement_wait=settings.statement_wait,
        scanners=settings.scan_threads,
        scan_wait=settings.scan_wait,
        deadline=settings.deadline,
    )


def _sign_up_limiter(settings: Settings) -> RateLimiter | None:
    url = settings.redis_url.get_secret_value() if settings.redis_url is not None else None
    if settings.sign_up_limit is None and url is None:
        return None
    from adapters.rate_limiting import FixedWindowLimiter, check_redis_url  # slow to import, and off by default

    try:
        if url is not None:
            check_redis_url(url)
        return FixedWindowLimiter(settings.sign_up_limit, url) if settings.sign_up_limit else None
    except ValueError:
        raise WrongSetting("BELONGINGS_REDIS_URL is not a Redis URL, such as redis://host:6379/0") from None


class Container(containers.DeclarativeContainer):
    """What the entrypoints need, whichever database is used."""

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
    engines = providers.Singleton(create_engines, url, limits)
    sessions = providers.Singleton(Sessions, engines.provided.writer)
    store = providers.Singleton(SqlStore, url, engines, sessions)
    views = providers.Singleton(SqlAlchemyViews, engines.provided.reader, engines.provided.scanner)
    unit_of_work = providers.Factory(SqlAlchemyUnitOfWork, sessions, views)


def build_container(settings: Settings) -> Container:
    """The container for the database in the settings.

    :raises WrongSetting: ``DATABASE_URL`` or another URL is not valid.
    """
    if settings.database_url.get_secret_value() == "memory://":
        container: Container = InMemoryContainer(settings=settings)
    else:
        container = SqlContainer(settings=settings)
        container.url()  # rejects what is wrong with it now
    container.sign_up_limiter()
    return container


def build_operations(name: str, url: str) -> DatabaseOperations:
    """The operations on a database that outlives this process.

    :param name: of the setting or option that the URL is from, for messages.
    :raises WrongSetting: the URL is not valid, or names a database in memory.
    """
    from adapters.sql.operations.database import SqlDatabaseOperations

    if url == "memory://" or is_in_memory(parsed := _parse(name, url)):
        raise WrongSetting(f"{name} names a database in memory, which no other process can reach")
    return SqlDatabaseOperations(parsed)
