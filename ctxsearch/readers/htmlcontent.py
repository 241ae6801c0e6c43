"""HTML: which elements of a page are its content, and what says in words what others show in a picture.

Navigation, banners, sidebars and controls are taken off only outside of the main content. Panels that a click opens are
content, though they are hidden when the page is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ctxsearch.readers import formulas
from ctxsearch.readers.composing import alternative as says_something
from ctxsearch.readers.composing import is_east_asian, one_line

Attributes: TypeAlias = Mapping[str, str | None]

CONTENT = frozenset(("main", "article"))
"""Elements inside of which nothing is taken for the furniture of the page."""
SCOPES = frozenset("section blockquote figure details li dd td th fieldset".split())
"""Elements whose header, footer and asides are their own, and not the page's."""

_NEVER_SHOWN = frozenset("script style template head datalist annotation annotation-xml noframes".split())
_FALLBACKS = frozenset("noscript object video audio canvas".split())
_LEFT_OUT_CLASSES = frozenset(
    """
    navbox navbar breadcrumb breadcrumbs pagination mw-editsection mw-jump-link noprint cookie-banner cookie-notice
    skip-link
    """.split()
)
_FOR_SCREEN_READERS = frozenset(
    "sr-only visually-hidden visuallyhidden screen-reader-text screen-reader-only screenreader-only".split()
)
LISTS = frozenset("ol ul menu dir".split())
_NUMBERS = {"1": "decimal", "a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman", "I": "upperRoman"}
"""How ``<ol type>`` numbers its items, as `numbering.formatted` calls it."""
_STYLES = {
    "decimal": "decimal",
    "lower-alpha": "lowerLetter",
    "lower-latin": "lowerLetter",
    "upper-alpha": "upperLetter",
    "upper-latin": "upperLetter",
    "lower-roman": "lowerRoman",
    "upper-roman": "upperRoman",
}
_LIST_STYLE = re.compile(r"list-style(?:-type)?\s*:\s*([a-z-]+)", re.IGNORECASE)
_PRESSED = frozenset(("button", "submit", "reset"))
_TYPED = frozenset((None, "", "text", "email", "tel", "url", "number", "date", "time", "month", "week"))
"""Kinds of ``<input>`` whose value is text that a reader sees."""
APART_BY_ROLE = {
    **dict.fromkeys(("heading", "list", "table", "grid", "rowgroup", "paragraph", "article", "tabpanel"), "\n\n"),
    **dict.fromkeys(("listitem", "row", "option", "treeitem"), "\n"),
    **dict.fromkeys(("cell", "gridcell", "columnheader", "rowheader", "tab", "button", "term", "definition"), " "),
}
"""The white space around an element that says it is something else than its tag."""
_PAGE_ROLES = frozenset("contentinfo search".split())
_MENU_ROLES = frozenset("menu menubar toolbar".split())
_OPENING = ("aria-expanded", "aria-controls", "data-target", "data-bs-target", "popovertarget", "commandfor")
_OPENING_CLASS = re.compile(r"accordion|collaps|faq|question|disclosure|expand|spoiler", re.IGNORECASE)
_PANEL_CLASS = re.compile(
    r"accordion|collaps|panel|tab-?(?:content|pane|body)|faq|answer|toggle|spoiler|expand|reveal|disclosure",
    re.IGNORECASE,
)
_OVERLAY = re.compile(
    r"(?:cookie|consent|gdpr|onetrust|cookiebot).{0,40}?(?:banner|notice|bar|popup|modal|dialog|consent|sdk|overlay|wall)"
    r"|(?:banner|notice|bar|popup|modal|dialog).{0,20}?(?:cookie|consent)|cybotcookiebotdialog",
    re.IGNORECASE,
)
_COPYING = re.compile(r"\b(?:copy|clipboard)", re.IGNORECASE)
_HIDING = re.compile(r"display\s*:\s*none", re.IGNORECASE)
_BLOCK_STYLE = re.compile(r"display\s*:\s*(?:block|flex|grid|table|list-item)", re.IGNORECASE)
_NOT_SUPPORTED = re.compile(
    r"java\s?script|(?:your|this|a) browser|flash player|enable (?:cookies|scripts)", re.IGNORECASE
)
_IDENTIFIER = re.compile(r"['\"(]#?([A-Za-z][\w:.-]*)['\")]")

MIN_PROSE_CHARACTERS = 40
"""An element with so much text that is no link is read, and does not only lead elsewhere."""
MAX_NOTE_CHARACTERS = 300
"""What a page says to browsers without scripts is shorter."""


class Rules:
    """What of one page is shown."""

    def __init__(self, tree: LexborHTMLParser, *, whole: bool, menus: bool = False, depth: int = 0) -> None:
        """Look at nothing yet.

        Args:
            tree: the page.
            whole: everything is content, as in a chapter of a book or the body of a mail.
            menus: even navigation is, in a page that has nothing else.
            depth: how many pages deep the page is written inside of others.
        """
        self.whole = whole
        self.depth = depth
        self.menus = menus
        self._tree = tree
        self._referenced: frozenset[str] | None = None
        self._has_content: bool | None = None

    def is_left_out(self, node: LexborNode, tag: str, attributes: Attributes, inside: bool, scoped: bool) -> bool:
        """Whether an element, with all that is in it, is no part of the text.

        Args:
            inside: it stands in the main content.
            scoped: it stands in an element of `SCOPES`.
        """
        if tag in _NEVER_SHOWN:
            return True
        if tag in _FALLBACKS and _is_for_old_browsers(node):
            return True
        if self.menus:
            return _is_hidden(attributes) and not self._is_panel(node, attributes)
        if attributes and self._is_left_out_by_attributes(node, tag, attributes, inside):
            return True
        if tag == "nav":
            return not (inside and _is_prose(node))
        if tag == "dialog":
            return not (inside and self._is_opened(node, attributes))
        if inside or self.whole:
            return tag == "button" and _COPYING.search(_names(attributes)) is not None
        if tag == "footer":
            return not scoped
        if tag == "aside" or attributes.get("role") == "complementary":
            return not scoped and (self._content_is_marked() or not _is_prose(node))
        if tag == "form":
            return not _holds_content(node)
        if tag == "button" or (tag == "input" and attributes.get("type") in _PRESSED):
            return not _opens_something(node, attributes)
        return tag == "select"

    def _is_left_out_by_attributes(self, node: LexborNode, tag: str, attributes: Attributes, inside: bool) -> bool:
        role = attributes.get("role")
        classes = (attributes.get("class") or "").split()
        if not _LEFT_OUT_CLASSES.isdisjoint(classes):
            return True
        if role in _MENU_ROLES or (role == "navigation" and not (inside and _is_prose(node))):
            return True
        if role in _PAGE_ROLES and not inside and not self.whole:
            return True
        if tag in ("div", "section", "aside", "form", "dialog") and _OVERLAY.search(_names(attributes)):
            return True
        if role in ("dialog", "alertdialog"):
            return not self._is_opened(node, attributes)
        if _is_hidden(attributes):
            return not self._is_panel(node, attributes)
        return False

    def _is_panel(self, node: LexborNode, attributes: Attributes) -> bool:
        """Whether a hidden element is one that a click shows, and no menu."""
        if attributes.get("hidden") == "until-found" or "mwe-math-mathml" in (attributes.get("class") or ""):
            return True
        is_panel = (
            self._is_opened(node, attributes)
            or attributes.get("role") in ("tabpanel", "region")
            or "aria-labelledby" in attributes
            or _PANEL_CLASS.search(_names(attributes))
            or _is_control(_element_before(node))
        )
        return bool(is_panel) and _link_share(node) < 0.8

    def _is_opened(self, node: LexborNode, attributes: Attributes) -> bool:
        """Whether an element is open, or something on the page refers to it, as a button does that opens it."""
        if "open" in attributes:
            return True
        if self._referenced is None:
            self._referenced = frozenset(_referenced(self._tree))
        return (attributes.get("id") or "") in self._referenced

    def _content_is_marked(self) -> bool:
        """Whether the page says where its content is."""
        if self._has_content is None:
            self._has_content = self._tree.css_first("main, article, [role=main]") is not None
        return self._has_content


def _is_hidden(attributes: Attributes) -> bool:
    return "hidden" in attributes or _HIDING.search(attributes.get("style") or "") is not None


def is_block(attributes: Attributes) -> bool:
    """Whether an element that is in a line by its nature is made a block."""
    style = attributes.get("style")
    return bool(style and _BLOCK_STYLE.search(style))


def alternative(node: LexborNode, tag: str, attributes: Attributes) -> str:
    """What an element says in words that are not its text: of a picture, or of a link that is an icon; else ""."""
    if tag in ("img", "area") or (tag == "input" and attributes.get("type") == "image"):
        return _alternative_of_picture(node, attributes)
    if tag == "input":
        return _value_of_field(node, attributes)
    if tag == "optgroup":
        return one_line(attributes.get("label") or "")
    label = one_line(attributes.get("aria-label") or "")
    if label and tag not in ("input", "textarea", "select") and not node.text(strip=True):
        is_told_by_picture = any(one_line(picture.attributes.get("alt") or "") for picture in node.css("img"))
        return "" if is_told_by_picture else label
    return ""


def ruby_is_pronunciation(ruby: LexborNode) -> bool:
    """Whether the annotations of a ``<ruby>`` say how its characters are read, and are no words of the text."""
    return is_east_asian(ruby.text())


def stands_beside_another(tag: str, neighbour: LexborNode | None) -> bool:
    """Whether nothing but the tags is between a link and a link, a time and a time, or between an element of the page's
    own (``<my-card>``) and any other."""
    if neighbour is None or (neighbour.tag or "-").startswith("-"):
        return False
    return "-" in tag or neighbour.tag == tag


def refers_to_note(attributes: Attributes) -> bool:
    """Whether a link is the mark of a note in a book."""
    return attributes.get("role") == "doc-noteref" or "noteref" in (attributes.get("epub:type") or "").split()


def is_mark_of_note(sup: LexborNode) -> bool:
    """Whether a superscript is a link to a note, and no part of the word before it."""
    return sup.css_first("a") is not None and len(sup.text(strip=True)) <= 6


def _alternative_of_picture(node: LexborNode, attributes: Attributes) -> str:
    words = one_line(attributes.get("alt") or ("" if "alt" in attributes else attributes.get("title")) or "")
    if not says_something(words):
        return ""
    if "mwe-math-fallback" in (attributes.get("class") or ""):
        return ""  # MathML stands beside it
    above = node.parent
    for _ in range(3):
        if above is None:
            break
        if above.tag in ("a", "figure", "button") and words.lower() in one_line(above.text()).lower():
            return ""  # it says what the caption, or the link, says already
        above = above.parent
    return words


def _value_of_field(field: LexborNode, attributes: Attributes) -> str:
    """What was typed into a field, what is written on a button, whether a box beside text is ticked."""
    kind = (attributes.get("type") or "").lower()
    if kind in _TYPED or kind in _PRESSED:
        return one_line(attributes.get("value") or "")
    if kind == "checkbox" and field.parent is not None and field.parent.tag in ("li", "label", "td", "p"):
        return "☒" if "checked" in attributes else "☐"
    return ""


def numbers_of_list(node: LexborNode, tag: str, attributes: Attributes) -> tuple[int, int, str]:
    """How the items of a list are numbered: the first number, the step, and the form; "" for none."""
    style = _LIST_STYLE.search(attributes.get("style") or "")
    form = _STYLES.get(style[1].lower(), "") if style else "decimal"
    if tag != "ol" or not form:
        return 1, 1, ""
    form = _NUMBERS.get(attributes.get("type") or "1", "decimal") if style is None else form
    if "reversed" not in attributes:
        return integer(attributes.get("start"), 1), 1, form
    items = sum(child.tag == "li" for child in node.iter())
    return integer(attributes.get("start"), items), -1, form


def integer(value: str | None, default: int) -> int:
    """The number that an attribute states."""
    match = re.fullmatch(r"\s*(-?[0-9]{1,9})\s*", value or "")
    return int(match[1]) if match else default


def is_exponent(sup: LexborNode) -> bool:
    """Whether a superscript after a figure is one of figures, which would be read as a part of the number."""
    return formulas.EXPONENT.fullmatch(sup.text(strip=True)) is not None and sup.css_first("a") is None


def is_for_screen_readers(attributes: Attributes) -> bool:
    """Whether an element is only heard, beside what is only seen."""
    return bool(attributes) and not _FOR_SCREEN_READERS.isdisjoint((attributes.get("class") or "").split())


def _names(attributes: Attributes) -> str:
    return f"{attributes.get('id') or ''} {attributes.get('class') or ''}"


def _is_for_old_browsers(node: LexborNode) -> bool:
    """Whether an element only tells that a browser cannot show something."""
    text = node.text(strip=True)
    return len(text) <= MAX_NOTE_CHARACTERS and _NOT_SUPPORTED.search(text) is not None


def _link_share(node: LexborNode) -> float:
    """Share of an element's text that is in links."""
    length = len(one_line(node.text()))
    return sum(len(one_line(link.text())) for link in node.css("a")) / length if length else 0.0


def _is_prose(node: LexborNode) -> bool:
    text = one_line(node.text())
    return len(text) >= MIN_PROSE_CHARACTERS and (1 - _link_share(node)) * len(text) >= MIN_PROSE_CHARACTERS


def _holds_content(form: LexborNode) -> bool:
    """Whether a form is put around content, and is not a row of fields."""
    if form.css_first("h1, h2, h3, h4, h5, h6, article, main, [role=main]"):
        return True
    controls = form.css("label, button, select, legend, script, style, textarea")
    return len(form.text(strip=True)) - sum(len(one.text(strip=True)) for one in controls) >= 2 * MIN_PROSE_CHARACTERS


def _opens_something(button: LexborNode, attributes: Attributes) -> bool:
    """Whether a button is the title of a panel, or says more than a control does."""
    above = button.parent
    for _ in range(3):
        if above is None:
            break
        if above.tag in ("h1", "h2", "h3", "h4", "h5", "h6", "summary", "dt"):
            return True
        if above.tag == "header":
            return False
        above = above.parent
    if any(name in attributes for name in _OPENING) or _OPENING_CLASS.search(_names(attributes)):
        return True
    text = one_line(button.text() or attributes.get("value") or "")
    return text.endswith(("?", "？")) or len(text.split()) >= 4


def _is_control(node: LexborNode | None) -> bool:
    """Whether an element is, or holds, what a reader clicks at."""
    if node is None:
        return False
    if node.tag in ("button", "summary") or "onclick" in node.attributes:
        return True
    return node.css_first("button, summary, [aria-expanded], [onclick]") is not None


def _element_before(node: LexborNode) -> LexborNode | None:
    before = node.prev
    while before is not None and (before.tag or "-").startswith("-"):
        before = before.prev
    return before


def _referenced(tree: LexborHTMLParser) -> Iterator[str]:
    """Ids of elements that others on the page refer to."""
    named = ("aria-controls", "aria-owns", "popovertarget", "commandfor", "data-target", "data-bs-target", "for")
    for node in tree.css(", ".join((*(f"[{name}]" for name in named), "[href*='#']", "[onclick]"))):
        attributes = node.attributes
        for name in named:
            yield from (attributes.get(name) or "").replace("#", " ").split()
        yield (attributes.get("href") or "").rpartition("#")[2]
        yield from _IDENTIFIER.findall(attributes.get("onclick") or "")
