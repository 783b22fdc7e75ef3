"""The rates as bars, in an SVG that needs no library."""

from html import escape
from math import isnan

from benchmarks.contestants import BELONGINGS, NO_OP, contestants
from benchmarks.measurements import Figures
from benchmarks.scenarios import NOTHING, SCENARIOS

_WIDTH, _LEFT, _RIGHT = 640, 100, 80
_BAR, _TITLE, _SPACE = 18, 26, 12


def svg(titles: dict[str, str], results: dict[str, Figures]) -> str:
    """A group of bars for each request on each database; the quickest in each group fills the width."""
    drawn: list[str] = []
    y = _SPACE
    for kind, figures in results.items():
        for scenario in SCENARIOS:
            drawn.append(_text(_SPACE, y + 14, f"{titles[kind]}: {scenario.title}, requests a second", "bold"))
            y += _TITLE
            keys = [(each, NOTHING if each is NO_OP else scenario) for each in contestants(kind)]
            rates = {contestant.name: figures.median((contestant, asked), "rate") for contestant, asked in keys}
            most = max((rate for rate in rates.values() if not isnan(rate)), default=0) or 1
            for name, rate in rates.items():
                width = 0 if isnan(rate) else max(1, round(rate / most * (_WIDTH - _LEFT - _RIGHT)))
                colour = "#2563eb" if name == BELONGINGS.name else "#94a3b8"
                drawn += [
                    _text(_SPACE, y + 13, name),
                    f'<rect x="{_LEFT}" y="{y + 2}" width="{width}" height="{_BAR - 4}" fill="{colour}"/>',
                    _text(_LEFT + width + 6, y + 13, "–" if isnan(rate) else f"{rate:,.0f}"),
                ]
                y += _BAR
            y += _SPACE
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y}" width="{_WIDTH}" height="{y}">'
    style = "<style>text { font: 13px sans-serif; fill: #0f172a } .bold { font-weight: bold }</style>"
    return "\n".join([head, style, '<rect width="100%" height="100%" fill="white"/>', *drawn, "</svg>", ""])


def _text(x: int, y: int, text: str, kind: str = "plain") -> str:
    return f'<text x="{x}" y="{y}" class="{kind}">{escape(text)}</text>'
