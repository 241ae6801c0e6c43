"""Charts and diagrams of Office files (DrawingML): titles, figures as a table, the texts of the boxes."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from ctxsearch.readers import formulas
from ctxsearch.readers.composing import Composer, one_line
from ctxsearch.readers.xmltree import attribute, child, children, descendants, local

MAX_POINTS = 100_000


def put_chart(composer: Composer, root: Element) -> None:
    """A chart's titles and labels, and its figures as a table: a row a category, a column a series.

    Args:
        root: of a chart's part, of ``c:chartSpace`` or the newer ``cx:chartSpace``.
    """
    for title in descendants(root, "title"):
        composer.block(" ".join(paragraphs(title)) or " ".join(_cached(title)))
    for plot in descendants(root, "plotArea"):
        for chart in plot:
            _put_series(composer, list(children(chart, "ser")))
    for plot in descendants(root, "plotAreaRegion"):
        _put_newer_series(composer, root, list(children(plot, "series")))
    labels = [" ".join(paragraphs(label)) for label in descendants(root, "dLbl")]
    composer.block("\n".join(filter(None, labels)))


def put_diagram(composer: Composer, root: Element) -> None:
    """The texts of a diagram (SmartArt), a line a box."""
    composer.block("\n".join(" ".join(lines) for point in descendants(root, "pt") if (lines := paragraphs(point))))


def paragraphs(node: Element) -> list[str]:
    """The paragraphs of a text body that hold something."""
    return list(filter(None, map(text_of_paragraph, descendants(node, "p"))))


def text_of_paragraph(paragraph: Element) -> str:
    """The text of a paragraph; of alternatives the first that has some."""
    return one_line(formulas.exponents("".join(_pieces(paragraph))))


def _is_exponent(run: Element) -> bool:
    settings = child(run, "rPr")
    if settings is None or not attribute(settings, "baseline")[:1].isdigit() or attribute(settings, "baseline") == "0":
        return False
    return formulas.EXPONENT.fullmatch("".join(node.text or "" for node in children(run, "t"))) is not None


def _pieces(node: Element) -> Iterator[str]:
    for inner in node:
        name = local(inner.tag)
        if name == "t":
            yield inner.text or ""
        elif name == "oMath":
            yield f" {formulas.of_word(inner)} "
        elif name == "r" and _is_exponent(inner):
            yield formulas.RAISED
            yield from _pieces(inner)
        elif name in ("br", "tab"):
            yield " "
        elif name == "AlternateContent":
            yield next(filter(None, ("".join(_pieces(alternative)) for alternative in inner)), "")
        else:
            yield from _pieces(inner)


def _put_series(composer: Composer, series: list[Element]) -> None:
    names: list[str] = [""]
    columns: list[dict[int, str]] = []
    categories: dict[int, str] = {}
    for one in series:
        text = child(one, "tx")
        names.append(" ".join(_cached(text)) if text is not None else "")
        categories = categories or _points(child(one, "cat")) or _points(child(one, "xVal"))
        columns.append(_points(child(one, "val")) or _points(child(one, "yVal")))
        if sizes := _points(child(one, "bubbleSize")):
            names.append("")
            columns.append(sizes)
    _put_table(composer, names, [categories, *columns])


def _put_newer_series(composer: Composer, root: Element, series: list[Element]) -> None:
    """Waterfalls, funnels and the like, which keep their figures apart from the series."""
    kept = {attribute(data, "id"): data for data in descendants(root, "data")}
    for one in series:
        text, reference = child(one, "tx"), child(one, "dataId")
        data = kept.get(attribute(reference, "val")) if reference is not None else None
        if data is not None:
            names = ["", " ".join(_cached(text)) if text is not None else ""]
            columns = [_newer_points(child(data, "strDim")), _newer_points(child(data, "numDim"))]
            _put_table(composer, names, columns)


def _put_table(composer: Composer, names: list[str], columns: list[dict[int, str]]) -> None:
    rows = sorted({index for column in columns for index in column})[:MAX_POINTS]
    if rows:
        table = [[column.get(index, "") for column in columns] for index in rows]
        composer.table([names, *table] if any(names) else table, header=any(names))


def _cached(node: Element) -> list[str]:
    """The values that the file keeps of a name or a title."""
    values = [one_line(value.text or "") for value in descendants(node, "v")]
    return list(filter(None, values)) or paragraphs(node)


def _points(node: Element | None) -> dict[int, str]:
    """The values that the file keeps of a chart's data, by their index; levels of categories from outer to inner."""
    if node is None:
        return {}
    levels = list(descendants(node, "lvl"))
    points: dict[int, str] = {}
    for source in reversed(levels) if levels else [node]:
        for point in descendants(source, "pt"):
            index = attribute(point, "idx")
            value = child(point, "v")
            if index.isascii() and index.isdigit() and value is not None:
                text = one_line(value.text or "")
                at = int(index)
                points[at] = f"{points[at]} {text}" if at in points else text
    return points


def _newer_points(node: Element | None) -> dict[int, str]:
    if node is None:
        return {}
    found = {}
    for point in descendants(node, "pt"):
        index = attribute(point, "idx")
        if index.isascii() and index.isdigit():
            found[int(index)] = one_line(point.text or "")
    return found
