"""How Alembic reaches the database. No ``__init__.py`` beside this file: it would shadow the library."""

from logging.config import fileConfig

from alembic import context

from adapters.sql.engine.engines import parse_url
from adapters.sql.mapping.tables import metadata
from adapters.sql.operations.migrations import INNODB_BY_DEFAULT, exclusive_connection
from entrypoints.settings import Settings

config = context.config
if config.config_file_name is not None:
    fileConfig(config.config_file_name, disable_existing_loggers=False)

text = "" if config.attributes.get("url") else Settings().database_url.get_secret_value()
url = config.attributes.get("url") or parse_url(text)

if context.is_offline_mode():
    # Without a connection only the URL can tell MariaDB from MySQL, which have no collation in common that is exact.
    options = {"is_mariadb": True} if text.startswith("mariadb") else {}
    context.configure(url=url, target_metadata=metadata, literal_binds=True, dialect_opts=options)
    with context.begin_transaction():
        if url.get_backend_name() == "mysql":
            context.execute(INNODB_BY_DEFAULT)
        context.run_migrations()
else:
    with exclusive_connection(url) as connection:
        context.configure(
            connection=connection,
            target_metadata=metadata,
            render_as_batch=connection.dialect.name == "sqlite",
            user_module_prefix="types.",
            on_version_apply=config.attributes.get("on_version_apply"),
        )
        with context.begin_transaction():
            context.run_migrations()
