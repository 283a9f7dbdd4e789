"""Markdown and HTML as sections: one outline of headings, whichever they come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markdown_it import MarkdownIt
from mdit_py_plugins.anchors import anchors_plugin
from mdit_py_plugins.front_matter import front_matter_plugin
from selectolax.lexbor import LexborHTMLParser

from twinvec.documents.readers import Section

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from selectolax.lexbor import LexborNode

__all__ = ["html_sections", "markdown_sections"]

_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_INLINE = """
    a abbr acronym b bdi bdo big cite code data del dfn em font i img ins kbd label mark q ruby rp
    rt s samp small span strike strong sub sup time tt u var wbr
"""
"""What does not end a paragraph; everything else does, but for `_CELLS` and `br`."""
_CELLS = ("td", "th")
_NO_CONTENT = """
    audio button canvas dialog iframe nav noscript object script select style svg template textarea
    video
"""
_FRAME = "header footer"
"""What is round the content of a whole page, and part of it within `main` or `article`."""
_CONTAINERS = ("blockquote_open", "list_item_open")
_NESTED = 100
"""Quotes, lists and their items, one in the other; the parser's own limit is 20, ten lists."""
_LINK_SIGNS = ("#", "¶", "§", "🔗", "")
"""What generators put behind a heading, to link to it."""


def markdown_sections(text: str) -> Iterator[Section]:
    """Read Markdown (CommonMark with tables), with anchors as GitHub makes them.

    It goes through HTML, since it may hold any; front matter is left out.

    Raises:
        ValueError: quotes and lists are nested more deeply than the parser goes, which leaves out
            what is in them.
    """
    markdown = MarkdownIt("commonmark", {"maxNesting": _NESTED}).enable(["table", "strikethrough"])
    markdown.use(anchors_plugin, max_level=6).use(front_matter_plugin)
    tokens = markdown.parse(text)
    if any(token.type in _CONTAINERS and token.level + 1 >= _NESTED for token in tokens):
        raise ValueError(
            f"quotes and lists nested more than {_NESTED} deep cannot be read; make them flatter, "
            "or leave the file out: --exclude"
        )
    return html_sections(markdown.renderer.render(tokens, markdown.options, {}))


def html_sections(text: str) -> Iterator[Section]:
    """Read what a page is about: its `main` or only `article`, without navigation and scripts."""
    tree = LexborHTMLParser(text)
    root = _content(tree)
    if root is None:
        return
    named = tree.css_first("head > title") or root.css_first("h1")
    title = _collapsed(_heading_text(named)) if named else ""
    outline, inline = _Outline(title), _INLINE.split()
    for node, entered in _walk(root):
        if node.is_text_node:
            outline.buffer.append(node.text_content or "")
        elif node.tag in _HEADINGS:
            if entered:
                outline.end_paragraph()
            else:
                yield from outline.begin_section(node)
        elif node.tag in _CELLS:
            if entered:
                outline.begin_cell()
        elif node.tag == "br":
            outline.buffer.append(" ")
        elif node.tag not in inline:
            outline.end_paragraph(verbatim=node.tag == "pre" and not entered)
    yield from outline.end_section()


class _Outline:
    """The section being read, and the headings above it."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.buffer: list[str] = []
        self._path: list[tuple[str, str]] = []  # tag and text
        self._anchor = ""
        self._paragraphs: list[str] = []

    def begin_cell(self) -> None:
        if any(not part.isspace() for part in self.buffer):
            self.buffer.append(" | ")

    def end_paragraph(self, *, verbatim: bool = False) -> None:
        text = "".join(self.buffer)
        text = text.strip("\n").rstrip() if verbatim else _collapsed(text)
        self.buffer.clear()
        if text:
            self._paragraphs.append(text)

    def end_section(self, below: str = "") -> Iterator[Section]:
        """Give what was read.

        A heading with nothing below it is a text of its own. Where a heading of the lower rank
        `below` follows, it needs none: it stands in that section's path.
        """
        self.end_paragraph()
        rank, heading = self._path[-1] if self._path else ("", "")
        if heading and not self._paragraphs and below <= rank:
            self._paragraphs.append(heading)
        if self._paragraphs:
            headings = tuple(text for _, text in self._path) or (self.title,)
            headings = tuple(filter(None, headings))
            yield Section(self._paragraphs, headings, self._anchor, self.title)
        self._paragraphs = []

    def begin_section(self, heading: LexborNode) -> Iterator[Section]:
        self.buffer.clear()
        tag, text = heading.tag or "", _collapsed(_heading_text(heading))
        yield from self.end_section(tag if text else "")
        self._path = [above for above in self._path if above[0] < tag]
        self._path.append((tag, text))
        self._anchor = _anchor(heading)


def _content(tree: LexborHTMLParser) -> LexborNode | None:
    main = tree.css_first("main, [role=main]")
    articles = tree.css("article")
    return main or (articles[0] if len(articles) == 1 else tree.body)


def _walk(root: LexborNode) -> Iterator[tuple[LexborNode, bool]]:
    """Visit what is below `root` but not skipped, each element on entering and on leaving it.

    Without recursion: pages are nested as deep as they like.
    """
    skipped = (_NO_CONTENT + (_FRAME if root.tag == "body" else "")).split()
    node, entering = root.child, True
    while node is not None and node.mem_id != root.mem_id:
        if entering and not _is_skipped(node, skipped):
            yield node, True
            if node.child is not None:
                node = node.child
                continue
        if node.is_element_node and not _is_skipped(node, skipped):
            yield node, False
        entering = node.next is not None
        node = node.next or node.parent


def _is_skipped(node: LexborNode, skipped: Collection[str]) -> bool:
    if not node.is_element_node:
        return not node.is_text_node
    attributes = node.attributes
    hidden = "hidden" in attributes or attributes.get("aria-hidden") == "true"
    return hidden or node.tag in skipped


def _heading_text(heading: LexborNode) -> str:
    signs = {link.mem_id for link in heading.css("a") if (link.text() or "").strip() in _LINK_SIGNS}
    parts = []
    for node, _ in _walk(heading):
        parent = node.parent
        if node.is_text_node and not (parent is not None and parent.mem_id in signs):
            parts.append(node.text_content or "")
    return "".join(parts)


def _anchor(heading: LexborNode) -> str:
    """Find a heading's id, or what stands for it: a link target in it, or the section it opens."""
    inside = heading.css_first("[id], a[name]")
    own = heading.id or (inside and (inside.id or inside.attributes.get("name")))
    if own:
        return own
    around = heading.parent
    if around is not None and around.tag in ("section", "div", "article") and around.id:
        first = around.css_first(", ".join(_HEADINGS))
        if first is not None and first.mem_id == heading.mem_id:
            return around.id
    return ""


def _collapsed(text: str) -> str:
    return " ".join(text.split())
