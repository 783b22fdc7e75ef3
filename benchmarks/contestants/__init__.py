"""Who is measured: applications for uvicorn, which find their database in ``DATABASE_URL``."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Contestant:
    """``app`` is what uvicorn is told to run; ``schema`` is whose tables it wants, see ``benchmarks.data``."""

    name: str
    app: str
    schema: str = "service"


TUTORIAL = Contestant("tutorial", "benchmarks.contestants.tutorial:create_app", "tutorial")
NO_OP = Contestant("no-op", "benchmarks.contestants.no_op:create_app")
FLOORS = {
    "sqlite": Contestant("floor", "benchmarks.contestants.floor_sqlite:create_app"),
    "postgresql": Contestant("floor", "benchmarks.contestants.floor_postgresql:create_app"),
}
BELONGINGS = Contestant("Belongings", "entrypoints.api.app:create_app")


def contestants(kind: str) -> list[Contestant]:
    """All of them, for this kind of database."""
    return [TUTORIAL, NO_OP, FLOORS[kind], BELONGINGS]
