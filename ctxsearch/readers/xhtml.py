"""XHTML: what XML writes otherwise than HTML, written as HTML, so that an HTML parser reads it as it is meant.

``<title/>`` and ``<script src="…"/>`` are whole elements in XML. To an HTML parser they open one, and the rest of the
page is inside of it.
"""

from __future__ import annotations

import html
import re

_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())
_RAW = frozenset("title script style textarea iframe noscript xmp noframes".split())
"""Elements in which an HTML parser sees no tags: left open, they take all that follows."""

_PIECE = re.compile(
    r"<!--.{0,65536}?-->"
    r"|<!\[CDATA\[(?P<data>.{0,65536}?)\]\]>"
    r"|<(?P<raw>script|style)(?:\s[^<>]{0,4000})?(?<!/)>.{0,65536}?</(?P=raw)\s*>"
    r"|<(?P<name>[a-zA-Z][\w:.-]{0,60})(?P<attributes>\s[^<>]{0,4000}?)?\s*/>",
    re.IGNORECASE | re.DOTALL,
)
_IS_XHTML = re.compile(r"\s*(?:<\?xml\b|.{0,1000}?<html[^<>]{0,1000}\bxmlns\s*=)", re.IGNORECASE | re.DOTALL)


def as_html(markup: str) -> str:
    """A page in which empty elements have an end tag, and CDATA sections are text.

    In a page that is not XHTML, only elements are changed that would swallow the rest.
    """
    if "/>" not in markup and "<![CDATA[" not in markup:
        return markup
    is_xhtml = _IS_XHTML.match(markup[:4000]) is not None

    def written(match: re.Match[str]) -> str:
        if match["data"] is not None:
            return html.escape(match["data"], quote=False) if is_xhtml else match[0]
        name = match["name"]
        if name is None or name.lower() in _VOID or not (is_xhtml or name.lower() in _RAW):
            return match[0]
        return f"<{name}{match['attributes'] or ''}></{name}>"

    return _PIECE.sub(written, markup)
