"""Limits on the markup of a page, checked before it is parsed.

HTML's own rules make some pages expensive. Each start tag searches the elements that are open, and
each paragraph opens again all formatting elements that were never closed. So time and memory can
grow with the square of a page's size, in browsers too.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_SEARCHED_ELEMENTS = 250_000_000
"""Sum of the open elements over all tags; parsing that many takes 2 s. Node.js's manual in one
page, 8 MB, has 2,400,000."""
MAX_REOPENED_ELEMENTS = 1_000_000
"""Formatting elements that are opened again; so many take 300 MB. No page of 700 had any."""
MAX_ATTRIBUTES = 10_000
"""Attributes of one tag, which are all compared with each other."""
_USUAL_FORMATTING = 16  # few pages have more formatting elements open at once
_USUAL_TAGS = 1000  # with so few tags, neither sum can reach its limit

_TAG = re.compile(
    r"""<(?:
        !--(?:-?>|.*?(?:--!?>|\Z))
        | (?P<end>/?)(?P<name>[a-z][^\s/>]*+)
          (?P<attributes>(?:[^=>]++|=\s*+(?:"[^"]*+"|'[^']*+')?+)*+)
    )""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_ATTRIBUTE_VALUE = re.compile(r"""=\s*+(?:"[^"]*+"|'[^']*+'|[^\s"']*+)""")
_RAW_TEXT_ENDS = {
    name: re.compile(f"</{name}", re.IGNORECASE)
    for name in ("iframe", "noembed", "noframes", "script", "style", "textarea", "title", "xmp")
}


def _tag_set(names: str) -> frozenset[str]:
    return frozenset(names.split())


_FORMATTING = _tag_set("a b big code em font i nobr s small strike strong tt u")
_CLOSED_BY_OTHERS = _tag_set("""
    a area base basefont bgsound body br button caption col colgroup dd dt embed frame h1 h2 h3 h4
    h5 h6 head hr html image img input keygen li link meta nobr optgroup option p param rb rp rt
    rtc source tbody td tfoot th thead tr track wbr
""")
"""Tags of elements that are empty, or end where another one begins."""
_HTML_IN_FOREIGN = _tag_set("annotation-xml desc foreignobject title")
"""Tags in SVG and MathML whose content is HTML."""
_ENDS_FOREIGN = _tag_set("""
    b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img li
    listing menu meta nobr ol p pre ruby s small span strong strike sub sup table tt u ul var
""")
"""Tags that end SVG or MathML."""


def check_nesting(text: str) -> None:
    """Check that a page can be parsed in time and memory that grow with its size.

    Raises:
        ValueError: too many elements are open at once, or a tag has too many attributes.
    """
    if text.count("<") < _USUAL_TAGS and max(map(len, text.split("<"))) <= MAX_ATTRIBUTES:
        return
    formatting, open_elements = _Formatting(), Counter[str]()
    depth = searched = reopened = excess = 0
    for name, attributes, is_end in _tags(text):
        searched += depth
        reopened += excess
        if searched > MAX_SEARCHED_ELEMENTS:
            raise ValueError(
                f"{depth:,} elements are nested, or were never closed; close them, or leave the "
                "file out"
            )
        if reopened > MAX_REOPENED_ELEMENTS:
            raise ValueError(
                f"{len(formatting):,} formatting elements, such as b or font, were never closed; "
                "close them, or leave the file out"
            )
        if len(attributes) > MAX_ATTRIBUTES:
            _check_attributes(name, attributes)
        if name in _FORMATTING:
            formatting.close(name) if is_end else formatting.open(name, attributes)
            excess = max(0, len(formatting) - _USUAL_FORMATTING)
        if name in _CLOSED_BY_OTHERS:
            continue
        if not is_end:
            open_elements[name] += 1
            depth += 1
        elif open_elements[name]:
            open_elements[name] -= 1
            depth -= 1


class _Formatting:
    """The formatting elements that a new paragraph opens again.

    HTML keeps at most three equal ones, and one link.
    """

    def __init__(self) -> None:
        self._equal: Counter[tuple[str, str]] = Counter()
        self._by_name: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def open(self, name: str, attributes: str) -> None:
        """Add an element, if it is kept."""
        is_single = name in ("a", "nobr")
        element = (name, "" if is_single else attributes)
        if self._equal[element] < (1 if is_single else 3):
            self._equal[element] += 1
            self._by_name[name].append(element)
            self._count += 1

    def close(self, name: str) -> None:
        """Remove the last element of a name, if there is any."""
        if self._by_name[name]:
            self._equal[self._by_name[name].pop()] -= 1
            self._count -= 1


def _tags(text: str) -> Iterator[tuple[str, str, bool]]:
    """Yield the name and attributes of each tag, and True for an end tag.

    Comments, the content of scripts, and empty elements of SVG and MathML are left out.
    """
    inside = foreign = False  # in SVG or MathML; and not in HTML within
    position = 0
    while tag := _TAG.search(text, position):
        position = tag.end()
        end, name, attributes = tag.groups()
        if not name:
            continue
        name = name.lower()
        is_empty = foreign and attributes.endswith("/")
        if name in _RAW_TEXT_ENDS and not end and not foreign:
            raw_text_end = _RAW_TEXT_ENDS[name].search(text, position)
            position = raw_text_end.start() if raw_text_end else len(text)
        elif name in ("svg", "math"):
            inside = foreign = not end and not attributes.endswith("/")
        elif name in _HTML_IN_FOREIGN:
            foreign = inside and bool(end)
        elif foreign and not end and name in _ENDS_FOREIGN:
            inside = foreign = False
        if not is_empty:
            yield name, attributes, bool(end)


def _check_attributes(name: str, attributes: str) -> None:
    count = len(_ATTRIBUTE_VALUE.sub(" ", attributes).replace("/", " ").split())
    if count > MAX_ATTRIBUTES:
        raise ValueError(
            f"the element {name[:100]} has {count:,} attributes, and at most {MAX_ATTRIBUTES:,} "
            "can be read; shorten it, or leave the file out"
        )
