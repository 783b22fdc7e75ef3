"""How a client that writes without pause affects readers."""

from collections.abc import Mapping

from benchmarks.contestants import BELONGINGS
from benchmarks.load import CONNECTIONS
from benchmarks.markdown import filled_in, number, strong, table
from benchmarks.measurements import Figures
from benchmarks.medians import ratio
from benchmarks.scenarios import BESIDE_WRITER, Scenario

_TEXT = """## While another client writes

Belongings, with <connections> clients that read while another one creates items, one as soon as the previous one is
acknowledged; and the same reads without that writer.
"""


def section(results: Mapping[str, Figures]) -> str:
    """Of the page.

    :param results: by the title of a database.
    """
    rows = [["", "writer", "requests/s", "p50, ms", "p99, ms", "p99/p50"]]
    for database, figures in results.items():
        for alone, beside in BESIDE_WRITER.items():
            for scenario in (alone, beside):
                rows.append([f"{database}: {scenario.title}", *_columns(figures, scenario)])
    return f"{filled_in(_TEXT, connections=CONNECTIONS)}\n{table(rows)}"


def _columns(figures: Figures, scenario: Scenario) -> list[str]:
    rate, p50, p99, written = (
        figures.median((BELONGINGS, scenario), name) for name in ("rate", "p50", "p99", "written")
    )
    writer = f"{number(written, ',.0f')} items/s" if scenario.beside_writer else "none"
    times = strong(number(ratio(p99, p50), ".1f"))
    return [writer, number(rate, ",.0f"), number(p50, ",.1f"), number(p99, ",.1f"), times]
