"""Markdown and HTML: the parts between headings are sections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markdown_it import MarkdownIt
from mdit_py_plugins.anchors import anchors_plugin
from mdit_py_plugins.front_matter import front_matter_plugin
from selectolax.lexbor import LexborHTMLParser

from twinvec.documents.section import Section

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from selectolax.lexbor import LexborNode

_HEADING_TAGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_INLINE_TAGS = """
    a abbr acronym b bdi bdo big cite code data del dfn em font i img ins kbd label mark q ruby rp
    rt s samp small span strike strong sub sup time tt u var wbr
"""
"""Tags that do not end a paragraph; all others do, except `_CELL_TAGS` and `br`."""
_CELL_TAGS = ("td", "th")
_SKIPPED_TAGS = """
    audio button canvas dialog iframe nav noscript object script select style svg template textarea
    video
"""
_FRAME_TAGS = "header footer"
"""Skipped in `body`, where they frame the page; kept in `main` and `article`."""
_CONTAINER_TOKENS = ("blockquote_open", "list_item_open")
_MAX_NESTING = 100
"""Levels of quotes, lists and list items; the parser's default of 20 allows ten lists."""
_PERMALINK_SIGNS = ("#", "¶", "§", "🔗", "")
"""Texts of the links that site generators append to a heading."""


def markdown_sections(text: str) -> Iterator[Section]:
    """Yield the sections of Markdown (CommonMark with tables), with anchors as on GitHub.

    Markdown is rendered to HTML first, since it may contain HTML. Front matter is left out.

    Raises:
        ValueError: quotes and lists are nested too deeply. The parser would drop their content.
    """
    options = {"maxNesting": _MAX_NESTING}
    markdown = MarkdownIt("commonmark", options).enable(["table", "strikethrough"])
    markdown.use(anchors_plugin, max_level=6).use(front_matter_plugin)
    tokens = markdown.parse(text)
    containers = (token for token in tokens if token.type in _CONTAINER_TOKENS)
    if any(token.level + 1 >= _MAX_NESTING for token in containers):
        raise ValueError(
            f"quotes and lists nested more than {_MAX_NESTING} deep cannot be read; make them "
            "flatter, or leave the file out"
        )
    return html_sections(markdown.renderer.render(tokens, markdown.options, {}))


def html_sections(text: str) -> Iterator[Section]:
    """Yield the sections of a page's `main`, only `article` or `body`.

    Navigation, scripts and hidden elements are left out.
    """
    tree = LexborHTMLParser(text)
    root = _content_root(tree)
    if root is None:
        return
    title_node = tree.css_first("head > title") or root.css_first("h1")
    title = _collapse_spaces(_heading_text(title_node)) if title_node else ""
    outline, inline_tags = _Outline(title), _INLINE_TAGS.split()
    for node, entered in _walk(root):
        if node.is_text_node:
            outline.buffer.append(node.text_content or "")
        elif node.tag in _HEADING_TAGS:
            if entered:
                outline.end_paragraph()
            else:
                yield from outline.begin_section(node)
        elif node.tag in _CELL_TAGS:
            if entered:
                outline.begin_cell()
        elif node.tag == "br":
            outline.buffer.append(" ")
        elif node.tag not in inline_tags:
            outline.end_paragraph(verbatim=node.tag == "pre" and not entered)
    yield from outline.end_section()


class _Outline:
    """The section being read, with the headings above it.

    `buffer` collects the text of the current paragraph.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.buffer: list[str] = []
        self._path: list[tuple[str, str]] = []  # tag and text of each heading
        self._anchor = ""
        self._paragraphs: list[str] = []

    def begin_cell(self) -> None:
        """Separate a table cell from the one before it."""
        if any(not part.isspace() for part in self.buffer):
            self.buffer.append(" | ")

    def end_paragraph(self, *, verbatim: bool = False) -> None:
        """Move the buffered text to the section's paragraphs; `verbatim` keeps its spaces."""
        text = "".join(self.buffer)
        text = text.strip("\n").rstrip() if verbatim else _collapse_spaces(text)
        self.buffer.clear()
        if text:
            self._paragraphs.append(text)

    def end_section(self, next_tag: str = "") -> Iterator[Section]:
        """Yield the section, if it has text.

        A heading without text below it is its own paragraph, unless a lower heading (`next_tag`)
        follows, whose section carries it in `headings`.
        """
        self.end_paragraph()
        tag, heading = self._path[-1] if self._path else ("", "")
        if heading and not self._paragraphs and next_tag <= tag:
            self._paragraphs.append(heading)
        if self._paragraphs:
            headings = tuple(text for _, text in self._path) or (self.title,)
            headings = tuple(filter(None, headings))
            yield Section(self._paragraphs, headings, self._anchor, self.title)
        self._paragraphs = []

    def begin_section(self, heading: LexborNode) -> Iterator[Section]:
        """Yield the section that a heading ends, and begin the next one."""
        self.buffer.clear()
        tag, text = heading.tag or "", _collapse_spaces(_heading_text(heading))
        yield from self.end_section(tag if text else "")
        self._path = [above for above in self._path if above[0] < tag]
        self._path.append((tag, text))
        self._anchor = _anchor_of(heading)


def _content_root(tree: LexborHTMLParser) -> LexborNode | None:
    main = tree.css_first("main, [role=main]")
    articles = tree.css("article")
    return main or (articles[0] if len(articles) == 1 else tree.body)


def _walk(root: LexborNode) -> Iterator[tuple[LexborNode, bool]]:
    """Yield the nodes below `root`, each element on entering (True) and on leaving (False).

    Without recursion, since pages may be nested to any depth.
    """
    skipped_tags = (_SKIPPED_TAGS + (_FRAME_TAGS if root.tag == "body" else "")).split()
    node, entering = root.child, True
    while node is not None and node.mem_id != root.mem_id:
        if entering and not _is_skipped(node, skipped_tags):
            yield node, True
            if node.child is not None:
                node = node.child
                continue
        if node.is_element_node and not _is_skipped(node, skipped_tags):
            yield node, False
        entering = node.next is not None
        node = node.next or node.parent


def _is_skipped(node: LexborNode, skipped_tags: Collection[str]) -> bool:
    if not node.is_element_node:
        return not node.is_text_node
    attributes = node.attributes
    hidden = "hidden" in attributes or attributes.get("aria-hidden") == "true"
    return hidden or node.tag in skipped_tags


def _heading_text(heading: LexborNode) -> str:
    """Return a heading's text without its permalink."""
    permalinks = {
        link.mem_id for link in heading.css("a") if (link.text() or "").strip() in _PERMALINK_SIGNS
    }
    parts = []
    for node, _ in _walk(heading):
        parent = node.parent
        if node.is_text_node and not (parent is not None and parent.mem_id in permalinks):
            parts.append(node.text_content or "")
    return "".join(parts)


def _anchor_of(heading: LexborNode) -> str:
    """Return the id of a heading, of a link target in it, or of the section that it opens."""
    target = heading.css_first("[id], a[name]")
    anchor = heading.id or (target and (target.id or target.attributes.get("name")))
    if anchor:
        return anchor
    parent = heading.parent
    if parent is not None and parent.tag in ("section", "div", "article") and parent.id:
        first_heading = parent.css_first(", ".join(_HEADING_TAGS))
        if first_heading is not None and first_heading.mem_id == heading.mem_id:
            return parent.id
    return ""


def _collapse_spaces(text: str) -> str:
    return " ".join(text.split())
