"""Bars with their ranges, as SVG: all that the measurements need of a plot."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

__all__ = ["Bar", "bars"]

WIDTH, LEFT, RIGHT, ROW, TOP = 960, 330, 110, 26, 48
OURS, OTHERS, INK, RANGE = "#3572c6", "#b9c2cc", "#1f2328", "#6b3fa0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """The values of all rounds; drawn is their median, and a line from the least to the greatest."""

    group: str
    name: str
    values: Sequence[float]
    ours: bool


def bars(title: str, drawn: Sequence[Bar]) -> str:
    """One below the other, with a heading before each group."""
    longest = max(max(bar.values) for bar in drawn)
    scale = (WIDTH - LEFT - RIGHT) / longest
    parts: list[str] = []
    y, group = TOP, ""
    for bar in drawn:
        if bar.group != group:
            group = bar.group
            parts.append(f'<text x="20" y="{y + 17}" font-weight="bold">{escape(group)}</text>')
            y += ROW
        parts += _bar(bar, y, scale)
        y += ROW
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 14}" font-family="system-ui, sans-serif" '
        f'font-size="14" role="img">\n<title>{escape(title)}</title>\n<rect width="100%" height="100%" fill="#fff"/>\n'
        f'<g fill="{INK}">\n<text x="20" y="28" font-size="16">{escape(title)}</text>\n'
        + "\n".join(parts)
        + "\n</g>\n</svg>\n"
    )


def _bar(bar: Bar, y: int, scale: float) -> list[str]:
    middle = statistics.median(bar.values)
    colour = OURS if bar.ours else OTHERS
    low, high = LEFT + min(bar.values) * scale, LEFT + max(bar.values) * scale
    return [
        f'<text x="{LEFT - 10}" y="{y + 17}" text-anchor="end">{escape(bar.name)}</text>',
        f'<rect x="{LEFT}" y="{y + 4}" width="{middle * scale:.1f}" height="{ROW - 8}" fill="{colour}"/>',
        f'<path d="M{low:.1f} {y + ROW / 2}H{high:.1f}" stroke="{RANGE}" stroke-width="2"/>',
        f'<text x="{high + 8:.1f}" y="{y + 17}">{middle:,.1f}</text>',
    ]
