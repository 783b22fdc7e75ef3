"""The command line: ``belongings serve | migrate | copy | backup | restore | check | settings``

Commands import what they need when they run, so that ``belongings --help`` is quick.
"""

import typer

from entrypoints.cli import database, serve, settings

app = typer.Typer(
    help="Keeps users and the items they own.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (
    serve.serve,
    database.migrate,
    database.copy,
    database.backup,
    database.restore,
    database.check,
    settings.settings,
):
    app.command()(command)
