"""``belongings serve``"""

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from entrypoints.cli.output import err, load_container, out, reason, stop

if TYPE_CHECKING:
    from service_layer.ports import Store


def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="The port; 0 picks a free one.", show_default="8000")
    ] = None,
    open_to_network: Annotated[
        bool,
        typer.Option(
            "--open-to-network", help="Allow an address that other machines can reach, although there is no sign-in."
        ),
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Number of worker processes.", show_default="1")
    ] = None,
    reload: Annotated[bool, typer.Option(help="Restart when the code changes.")] = False,
) -> None:
    """Serve the HTTP API until Ctrl-C. An embedded database is migrated first."""
    from entrypoints.logging import configure
    from entrypoints.server.listening import CannotServe, check_tls, find_address, listen, warn_about_open_files
    from entrypoints.server.serving import run

    container = load_container()
    settings, store = container.settings(), container.store()
    workers = workers or settings.workers
    if workers > 1 and store.single_process_reason:
        stop(f"--workers {workers} is not possible with {store.label}: {store.single_process_reason}")
    configure(settings.log_format)
    try:
        family, address = find_address(
            settings.host if host is None else host,
            settings.port if port is None else port,
            open_to_network=open_to_network or settings.open_to_network,
        )
        scheme = check_tls(settings)
        _prepare(store)
        listener = listen(family, address)
        warn_about_open_files(settings.connections)
    except CannotServe as error:
        stop(str(error))
    ip, port = listener.getsockname()[:2]
    host = f"[{ip}]" if ":" in ip else ip
    listens = f"Belongings listens on {scheme}://{host}:{port} (see /docs) and keeps its data in {store.label}"

    def announce() -> None:
        with suppress(OSError):  # a full disk must not keep the service from starting
            out.print(listens)

    with suppress(KeyboardInterrupt):
        run(listener, settings, workers=workers, reload=reload, announce=announce)


def _prepare(store: "Store") -> None:
    from service_layer.errors import SchemaMismatch, SchemaNewer, StorageUnavailable

    try:
        store.prepare()
    except SchemaNewer as error:
        stop(f"{store.label}: {error}")
    except (SchemaMismatch, StorageUnavailable) as error:
        if store.embedded:
            stop(f"{store.label}: {reason(error)}")
        err.print(f"belongings: {store.label}: {reason(error)}; until then /health/ready is 503")
    finally:
        store.close()
