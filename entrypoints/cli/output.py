"""What all commands share: output, progress bars, and errors as one line with status 1."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import typer
from rich.console import Console

if TYPE_CHECKING:
    from entrypoints.container import Container
    from service_layer.operations import Progress

out = Console(soft_wrap=True, highlight=False, markup=False)
err = Console(soft_wrap=True, highlight=False, markup=False, stderr=True)


def stop(message: str) -> NoReturn:
    """Print the message to standard error and exit with status 1."""
    err.print(f"belongings: {message}")
    raise typer.Exit(1)


def reason(error: Exception) -> str:
    """An error's message for operators; ``str(error)`` is for clients."""
    return getattr(error, "reason", None) or str(error)


@contextmanager
def errors_as_one_line() -> Iterator[None]:
    """Stop with the reason if the block raises an error that operators can act on."""
    from domain.errors import BelongingsError
    from entrypoints.settings import WrongSetting

    try:
        yield
    except (WrongSetting, BelongingsError) as error:
        stop(reason(error))


@contextmanager
def progress_bars() -> Iterator["Progress"]:
    """A function that shows a progress bar for each step, if standard error is a terminal."""
    from rich.progress import Progress, TaskID

    tasks: dict[str, TaskID] = {}

    def show(step: str, done: int, total: int) -> None:
        if step not in tasks:
            tasks[step] = bars.add_task(step)
        bars.update(tasks[step], completed=done, total=total)

    with errors_as_one_line(), Progress(console=err, transient=True, disable=not err.is_interactive) as bars:
        yield show


def load_container() -> "Container":
    """The container for the current settings; stops if one of them is not valid."""
    from entrypoints.container import build_container
    from entrypoints.settings import load_settings

    with errors_as_one_line():
        return build_container(load_settings())
