"""Figures as SVG: files, and elements of a page that holds several of them in light and in dark."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from playpen_eval.report import plots
from playpen_eval.report.plots import styled
from playpen_eval.report.texts import printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VARIABLES = {
    plots.INK: "--ink",
    plots.MUTED: "--muted",
    plots.GRID: "--grid",
    plots.BETTER: "--better",
    plots.WORSE: "--worse",
    plots.NEUTRAL: "--neutral",
    plots.OUTCOMES["success"]: "--success",
    plots.OUTCOMES["lose"]: "--lose",
    plots.OUTCOMES["aborted"]: "--aborted",
}
"""Colour -> the CSS variable that stands for it in a page, which has two sets of colours."""


def to_svg(figure: Figure) -> str:
    """A figure as an SVG file, transparent and without a date."""
    buffer = io.StringIO()
    with styled():
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return buffer.getvalue()


def to_inline_svg(figure: Figure, name: str, title: str) -> str:
    """A figure as an element of a page.

    Args:
        figure: The figure.
        name: What the element's ids start with; different for each figure of the page, letters and digits only.
        title: What a screen reader reads.
    """
    from xml.etree import ElementTree

    root = ElementTree.fromstring(to_svg(figure))
    for parent in list(root.iter()):
        for child in list(parent):
            if _local(child.tag) in ("metadata", "style"):
                parent.remove(child)
    for element in root.iter():
        element.tag = _local(element.tag)
        element.attrib = {_local(key): _renamed(value, _local(key), name) for key, value in element.attrib.items()}
    for key in ("version", "width", "height"):
        root.attrib.pop(key, None)
    width, _ = root.attrib["viewBox"].split()[2:]
    root.attrib |= {"role": "img", "aria-label": printable(title), "style": f"max-width: {width}pt"}
    return ElementTree.tostring(root, encoding="unicode")


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _renamed(value: str, key: str, name: str) -> str:
    if key == "id":
        return f"{name}-{value}"
    if key == "href":
        return re.sub(r"^#", f"#{name}-", value)
    value = value.replace("url(#", f"url(#{name}-")
    if key in ("style", "fill", "stroke"):
        return re.sub(r"#[0-9a-f]{6}", lambda found: _variable(found[0]), value)
    return value


def _variable(colour: str) -> str:
    return f"var({VARIABLES[colour]}, {colour})" if colour in VARIABLES else colour
