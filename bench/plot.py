"""Bars with their ranges, and curves of growth, as SVG: all that the measurements need of plots."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

__all__ = ["Bar", "bars", "curves"]

WIDTH, LEFT, RIGHT, ROW, TOP = 960, 330, 110, 26, 48
COLOURS = ("#3572c6", "#b3541e", "#2f7d4f", "#6b3fa0", "#a1305f", "#5b6470", "#8a6d00")
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


def curves(title: str, drawn: Mapping[str, Mapping[int, float]]) -> str:
    """Values by a size, both logarithmic; the names at the end of each line, apart from each other."""
    left, right, top, bottom = 90, 620, 60, 430
    sizes = sorted({size for line in drawn.values() for size in line})
    values = [value for line in drawn.values() for value in line.values()]
    lowest, highest = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))

    def x(size: float) -> float:
        return left + (right - left) * math.log10(size / sizes[0]) / math.log10(sizes[-1] / sizes[0])

    def y(value: float) -> float:
        return bottom - (bottom - top) * (math.log10(value) - lowest) / (highest - lowest)

    parts = [f'<text x="20" y="28" font-size="16">{escape(title)}</text>']
    for power in range(lowest, highest + 1):
        at = y(10**power)
        parts.append(f'<path d="M{left} {at:.1f}H{right}" stroke="{OTHERS}"/>')
        parts.append(f'<text x="{left - 10}" y="{at + 5:.1f}" text-anchor="end">{10**power:,} ms</text>')
    parts += [f'<text x="{x(size):.1f}" y="{bottom + 24}" text-anchor="middle">{size:,} rows</text>' for size in sizes]
    label = 0.0
    ends = sorted(drawn.items(), key=lambda item: y(item[1][max(item[1])]))
    for (name, line), colour in zip(ends, COLOURS, strict=False):
        points = [(x(size), y(value)) for size, value in sorted(line.items())]
        path = "L".join(f"{across:.1f} {down:.1f}" for across, down in points)
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{across:.1f}" cy="{down:.1f}" r="3.5" fill="{colour}"/>' for across, down in points]
        label = max(label + 20, points[-1][1] + 5)
        said = f"{name}: {line[max(line)]:,.0f} ms"
        parts.append(f'<text x="{right + 12}" y="{label:.1f}" fill="{colour}">{escape(said)}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 44}" '
        f'font-family="system-ui, sans-serif" font-size="14" role="img">\n<title>{escape(title)}</title>\n'
        f'<rect width="100%" height="100%" fill="#fff"/>\n<g fill="{INK}">\n' + "\n".join(parts) + "\n</g>\n</svg>\n"
    )
