"""The cost of every operation against the size of the calendar, as an SVG drawing: one panel for each operation."""

from __future__ import annotations

import math
from html import escape

from conformance_tests.bench.bars import BARS
from conformance_tests.bench.campaign import FLOOR, Results
from conformance_tests.bench.report import number, operations, sizes

COLUMNS, WIDTH, HEIGHT, MARGIN, TOP = 4, 230, 190, 44, 40
COLOURS = {"sqlite": "#0b6e4f", "postgresql": "#1f5fa8", "radicale": "#b5651d", "xandikos": "#8e3b8a"}


def _log_range(values: list[float]) -> tuple[float, float]:
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return float(low), float(max(high, low + 1))


class Panel:
    """One operation: logarithmic axes, a line for each server, the bars as short strokes."""

    def __init__(self, results: Results, operation: str, left: float, top: float) -> None:
        self.operation, self.left, self.top = operation, left, top
        self.sizes = sizes(results)
        self.lines = {}
        for name in results.cells:
            if name != FLOOR:
                costs = [(size, results.cost(name, size, operation)) for size in self.sizes]
                self.lines[name] = [(size, cost) for size, cost in costs if cost]
        self.bars = [(size, limit) for size in self.sizes if (limit := BARS[operation].limit(size))]
        costs = [cost for points in [*self.lines.values(), self.bars] for _, cost in points]
        self.low, self.high = _log_range(costs)

    def x(self, size: float) -> float:
        low, high = math.log10(self.sizes[0]), math.log10(max(self.sizes[-1], self.sizes[0] * 2))
        return self.left + MARGIN + (math.log10(size) - low) / (high - low) * (WIDTH - MARGIN - 24) + 6

    def y(self, cost: float) -> float:
        share = (math.log10(cost) - self.low) / (self.high - self.low)
        return self.top + HEIGHT - 34 - share * (HEIGHT - 64)

    def draw(self) -> list[str]:
        """The panel's elements."""
        title = f'<text x="{self.left + MARGIN}" y="{self.top + 18}" class="t">{escape(self.operation)}</text>'
        return [title, *self._axes(), *self._strokes(), *(each for name in self.lines for each in self._line(name))]

    def _axes(self) -> list[str]:
        parts = []
        for exponent in range(int(self.low), int(self.high) + 1):
            y = self.y(10**exponent)
            parts.append(f'<path d="M{self.left + MARGIN} {y:.1f}H{self.left + WIDTH - 12}" class="g"/>')
            parts.append(f'<text x="{self.left + MARGIN - 5}" y="{y + 3:.1f}" class="e">{10.0**exponent:g}</text>')
        for size in self.sizes:
            parts.append(f'<text x="{self.x(size):.1f}" y="{self.top + HEIGHT - 18}" class="m">{size:,}</text>')
        return parts

    def _strokes(self) -> list[str]:
        strokes = []
        for size, limit in self.bars:
            x, y = self.x(size), self.y(limit)
            strokes.append(
                f'<path d="M{x - 9:.1f} {y:.1f}H{x + 9:.1f}" class="b"><title>bar {limit:.3g} ms</title></path>'
            )
        return strokes

    def _line(self, name: str) -> list[str]:
        points = [(self.x(size), self.y(cost), cost) for size, cost in self.lines[name]]
        if not points:
            return []
        colour = COLOURS.get(name, "#444")
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y, _ in points)
        dots = []
        for x, y, cost in points:
            title = f"<title>{escape(name)} {number(cost)} ms</title>"
            dots.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}">{title}</circle>')
        return [f'<path d="M{path}" stroke="{colour}" fill="none" stroke-width="1.8"/>', *dots]


STYLE = (
    "text{font:10px sans-serif;fill:#333}.t{font-size:12px;font-weight:bold}.e{text-anchor:end}.m{text-anchor:middle}"
    ".g{stroke:#ddd;fill:none}.b{stroke:#c00;stroke-width:2;fill:none}.h{font-size:13px}"
)


def draw(results: Results) -> str:
    """The whole drawing."""
    shown = operations(results)
    rows = math.ceil(len(shown) / COLUMNS)
    width, height = COLUMNS * WIDTH, TOP + rows * HEIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
    ]
    parts += [f"<style>{STYLE}</style>", f'<rect width="{width}" height="{height}" fill="#fff"/>']
    parts.append('<text x="12" y="22" class="h">Server CPU per request, ms, against objects in the calendar</text>')
    x = 420.0
    for name in [each for each in results.cells if each != FLOOR]:
        parts.append(f'<circle cx="{x}" cy="18" r="4" fill="{COLOURS.get(name, "#444")}"/>')
        parts.append(f'<text x="{x + 8}" y="22">{escape(name)}</text>')
        x += 92
    parts += [f'<path d="M{x - 6} 18h16" class="b"/>', f'<text x="{x + 16}" y="22">bar</text>']
    for index, operation in enumerate(shown):
        panel = Panel(results, operation, index % COLUMNS * WIDTH, TOP + index // COLUMNS * HEIGHT)
        parts += panel.draw()
    return "\n".join([*parts, "</svg>", ""])
