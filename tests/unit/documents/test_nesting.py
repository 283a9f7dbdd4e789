from __future__ import annotations

from contextlib import suppress

import pytest

from twinvec.documents.nesting import check_nesting

PASSING = {
    "deep": "<div>" * 20_000,
    "closed": "<div><span>a</span></div>" * 50_000,
    "never closed, yet ended by others": "<p>a<li>b<td>c<h2>d<a name=x>" * 20_000,
    "empty": "<br><img src=a><input>" * 30_000,
    "equal formatting": "<p><font color=red>a" * 5_000,
    "closed formatting": "".join(f"<p><b id={number}>a</b>" for number in range(20_000)),
    "script": "<script>" + "a<b.length; '<div id=x>';" * 40_000 + "</SCRIPT>",
    "unclosed script": "<p>a<script>" + "<div>" * 40_000,
    "comment": "<!--" + "<div>" * 40_000 + "-->",
    "drawing": "<svg>" + "<path d='M 1 2'/><use href='#a' />" * 40_000 + "</svg>",
    "drawing with a title": "<svg><title>a</title>" + "<path/>" * 40_000 + "</svg>",
    "text": "a < b " * 100_000,
    "value": f"<img alt='{'a b=c ' * 100_000}'>",
}
REFUSED = {
    "unknown elements": "<x-y>" * 30_000,
    "empty elements are not HTML": "<div/>" * 30_000,
    "upper case": "<DIV>" * 30_000,
    "after an empty comment": "<!-->" + "<div>" * 30_000,
    "HTML in a drawing": "<svg><div>" + "<x/>" * 30_000,
    "HTML in a drawing's text": "<svg><foreignObject>" + "<x/>" * 30_000,
    "script of a drawing": "<svg><script>" + "<div>" * 30_000,
    "script in a value": '<p title="<script>">' + "<div>" * 30_000,
    "formatting": "".join(f"<p><font id={number}>" for number in range(4200)),
    "formatting, then paragraphs": "".join(f"<i id={n}>" for n in range(500)) + "<p>" * 5000,
    "attributes": "<p " + "".join(f"a{number}=1 " for number in range(20_000)) + ">",
    "attributes without spaces": "<p " + "".join(f"a{n}/" for n in range(20_000)) + ">",
}


@pytest.mark.parametrize("name", PASSING)
def test_pages_that_are_read_quickly_pass(name: str) -> None:
    check_nesting(PASSING[name])


@pytest.mark.parametrize("name", REFUSED)
def test_pages_that_take_long_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="leave the file out"):
        check_nesting(REFUSED[name])


@pytest.mark.parametrize(
    "pattern", ["<a ", "<a x='", "<!--", "<script>", '<p title="', "<", "<a =", '="']
)
def test_tags_that_never_end_are_searched_once(pattern: str) -> None:
    with suppress(ValueError):  # one tag with very many attributes
        check_nesting(pattern * (1_000_000 // len(pattern)))  # hours, if each searched the rest
