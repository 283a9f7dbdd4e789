"""Markdown and HTML: the parts between headings are sections."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt
from mdit_py_plugins.anchors import anchors_plugin
from mdit_py_plugins.anchors.index import slugify
from mdit_py_plugins.front_matter import front_matter_plugin
from selectolax.lexbor import LexborHTMLParser

from twinvec.documents.nesting import check_nesting
from twinvec.documents.section import MAX_HEADING_CHARACTERS, Section, shorten

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
_SECTION_TAGS = ("section", "div", "article")
_SKIPPED_TAGS = """
    audio button canvas dialog iframe nav noscript object script select style svg template textarea
    video
"""
_FRAME_TAGS = "header footer"
"""Skipped in `body`, where they frame the page; kept in `main` and `article`."""
_INLINE = frozenset(_INLINE_TAGS.split())
_SKIPPED = frozenset(_SKIPPED_TAGS.split())
_SKIPPED_IN_BODY = _SKIPPED.union(_FRAME_TAGS.split())
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
    markdown.use(anchors_plugin, max_level=6, slug_func=_Slugs().unique).use(front_matter_plugin)
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

    Raises:
        ValueError: reading takes time that grows with the square of the text's size; see
            `check_nesting`.
    """
    check_nesting(text)
    tree = LexborHTMLParser(text)
    root = _content_root(tree)
    if root is None:
        return
    title_node = tree.css_first("head > title") or root.css_first("h1")
    title = _read_heading(title_node)[0] if title_node else ""
    outline = _Outline(title)
    for node, entered in _walk(root, leaves=_HEADING_TAGS):
        if node.is_text_node:
            outline.add_text(node.text_content or "")
        elif node.tag not in _HEADING_TAGS:
            outline.add_tag(node, entered=entered)
        elif entered:
            yield from outline.begin_section(node)
    yield from outline.end_section()


class _Slugs:
    """Anchors of headings as on GitHub, which numbers equal ones.

    The plugin numbers them as well, but counts from 1 at each heading.
    """

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def unique(self, title: str) -> str:
        """Return the anchor of the next heading, unlike all before."""
        slug = anchor = slugify(title)
        while anchor in self._counts:
            anchor = f"{slug}-{self._counts[slug]}"
            self._counts[slug] += 1
        self._counts[anchor] = 1
        return anchor


class _Outline:
    """The section being read, with the headings above it."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._ids: dict[int, str] = {}  # by `mem_id`, of elements without a heading so far
        self._buffer: list[str] = []  # the text of the current paragraph
        self._buffer_is_blank = True
        self._path: list[tuple[str, str]] = []  # tag and text of each heading
        self._anchor = ""
        self._paragraphs: list[str] = []

    def add_text(self, text: str) -> None:
        """Add text to the current paragraph."""
        self._buffer.append(text)
        self._buffer_is_blank = self._buffer_is_blank and not text.strip()

    def add_tag(self, element: LexborNode, *, entered: bool) -> None:
        """End the paragraph at the start or end of an element, unless it is inline."""
        tag = element.tag
        if tag in _CELL_TAGS:
            if entered and not self._buffer_is_blank:
                self._buffer.append(" | ")
        elif tag == "br":
            self._buffer.append(" ")
        elif tag not in _INLINE:
            self.end_paragraph(verbatim=tag == "pre" and not entered)
            if entered and tag in _SECTION_TAGS and element.id:
                self._ids[element.mem_id] = element.id

    def end_paragraph(self, *, verbatim: bool = False) -> None:
        """Move the buffered text to the section's paragraphs; `verbatim` keeps its spaces."""
        text = "".join(self._buffer)
        text = text.strip("\n").rstrip() if verbatim else _collapse_spaces(text)
        self._buffer.clear()
        self._buffer_is_blank = True
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
            headings = tuple(text for _, text in self._path) or (self._title,)
            headings = tuple(filter(None, headings))
            yield Section(self._paragraphs, headings, self._anchor, self._title)
        self._paragraphs = []

    def begin_section(self, heading: LexborNode) -> Iterator[Section]:
        """Yield the section that a heading ends, and begin the next one."""
        self.end_paragraph()
        tag, (text, anchor) = heading.tag or "", _read_heading(heading)
        yield from self.end_section(tag if text else "")
        self._path = [above for above in self._path if above[0] < tag]
        self._path.append((tag, shorten(text)))
        if len(text) > MAX_HEADING_CHARACTERS:
            self._paragraphs.append(text)
        parent_id = self._ids.get(heading.parent.mem_id, "") if heading.parent else ""
        self._anchor = anchor or parent_id
        self._ids.clear()


def _content_root(tree: LexborHTMLParser) -> LexborNode | None:
    main = tree.css_first("main, [role=main]")
    articles = tree.css("article")
    return main or (articles[0] if len(articles) == 1 else tree.body)


def _walk(root: LexborNode, leaves: Collection[str] = ()) -> Iterator[tuple[LexborNode, bool]]:
    """Yield the nodes below `root`, each element on entering (True) and on leaving (False).

    Elements with a tag in `leaves` are not entered. Without recursion, since pages may be nested to
    any depth.
    """
    skipped_tags = _SKIPPED_IN_BODY if root.tag == "body" else _SKIPPED
    node, entering = root.child, True
    while node is not None and node.mem_id != root.mem_id:
        skipped = entering and _is_skipped(node, skipped_tags)
        if entering and not skipped:
            yield node, True
            if node.child is not None and node.tag not in leaves:
                node = node.child
                continue
        if node.is_element_node and not skipped:
            yield node, False
        entering = node.next is not None
        node = node.next or node.parent


def _is_skipped(node: LexborNode, skipped_tags: Collection[str]) -> bool:
    if not node.is_element_node:
        return not node.is_text_node
    attributes = node.attributes
    hidden = "hidden" in attributes or attributes.get("aria-hidden") == "true"
    return hidden or node.tag in skipped_tags


def _read_heading(heading: LexborNode) -> tuple[str, str]:
    """Return a heading's text without its permalink, and the first id or link target in it."""
    anchor = heading.id or ""
    parts: list[str] = []
    link_start = 0  # the part with which the current link begins
    for node, entered in _walk(heading):
        if node.is_text_node:
            parts.append(node.text_content or "")
            continue
        if node.tag not in _INLINE:
            parts.append(" ")
        elif node.tag == "a" and entered:
            link_start = len(parts)
        elif node.tag == "a" and "".join(parts[link_start:]).strip() in _PERMALINK_SIGNS:
            del parts[link_start:]
        anchor = anchor or node.id or (node.tag == "a" and node.attributes.get("name")) or ""
    return _collapse_spaces("".join(parts)), anchor


def _collapse_spaces(text: str) -> str:
    return " ".join(text.split())
