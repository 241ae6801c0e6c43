"""Tables of HTML: which hold data, and where their cells stand. A table that lays out a page is no table.

Only the nodes of the table's own rows are looked at; what a cell says is for the caller to find.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from selectolax.lexbor import LexborNode

from ctxsearch.readers.grid import Grid

CELLS = frozenset(("td", "th"))
_GROUPS = frozenset(("thead", "tbody", "tfoot"))
_BLOCKS_OF_A_PAGE = "table, h1, h2, h3, h4, h5, h6"
_MAX_COLUMN_SPAN = 1000
_MAX_ROW_SPAN = 65_534
"""Both as in the HTML standard, "attributes common to td and th elements"."""


def is_data(table: LexborNode) -> bool:
    """Whether a table holds data: it has rows of several cells, and does not merely place the blocks of a page."""
    if table.attributes.get("role") in ("presentation", "none"):
        return False
    rows = [[cell for cell in row.iter() if cell.tag in CELLS] for _, row in _rows(table)]
    if not any(len(cells) > 1 for cells in rows):
        return False
    if any(cell.tag == "th" for cells in rows for cell in cells):
        return True
    return not any(cell.css_first(_BLOCKS_OF_A_PAGE) for cells in rows for cell in cells)


def captions(table: LexborNode) -> list[LexborNode]:
    """The captions of a table."""
    return [node for node in table.iter() if node.tag == "caption"]


def grid_of(table: LexborNode, text_of: Callable[[LexborNode], str], is_shown: Callable[[LexborNode], bool]) -> Grid:
    """The cells of a table, spans counted.

    Args:
        table: its node.
        text_of: what a cell says.
        is_shown: whether a row or a cell is shown at all.
    """
    grid = Grid()
    last_group = None
    for group, row in _rows(table):
        if not is_shown(row):
            continue
        if group is None or last_group is None or group.mem_id != last_group.mem_id:
            grid.end_group()
        last_group = group if group is not None else table
        grid.row(heading=group is not None and group.tag == "thead")
        for cell in row.iter():
            if cell.tag in CELLS and is_shown(cell):
                rows = _span(cell, "rowspan", _MAX_ROW_SPAN) or _MAX_ROW_SPAN  # 0 is all that follow
                columns = max(1, _span(cell, "colspan", _MAX_COLUMN_SPAN))
                grid.cell(text_of(cell), columns, rows, heading=cell.tag == "th")
    return grid


def _rows(table: LexborNode) -> Iterator[tuple[LexborNode | None, LexborNode]]:
    """The rows of a table, each with the group that it stands in; those of a ``<tfoot>`` are shown last."""
    for node in sorted(table.iter(), key=lambda node: node.tag == "tfoot"):
        if node.tag == "tr":
            yield None, node
        elif node.tag in _GROUPS:
            for inner in node.iter():
                if inner.tag == "tr":
                    yield node, inner


def _span(cell: LexborNode, name: str, most: int) -> int:
    value = (cell.attributes.get(name) or "").strip()
    return min(int(value), most) if value.isascii() and value.isdigit() and len(value) < 10 else 1
