from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from twinvec.documents.markup import html_sections, markdown_sections
from twinvec.documents.section import Section


def markdown(text: str) -> list[Section]:
    return list(markdown_sections(text))


def html(text: str) -> list[Section]:
    return list(html_sections(text))


def test_markdown_has_the_anchors_of_github() -> None:
    data = """---\r
layout: page\r
---\r
before\r
# The `Guide` & more!\r
\r
one *two*\r
three [four](link)\r
\r
Set-up\r
------\r
```sh\r
# no heading\r
\r
  run\r
```\r
#### Deep\r
* x\r
* y\r
## Set-up\r
| a | b |\r
|---|---|\r
| 1 | 2 |\r
\r
<div><b>raw</b> html</div>\r
"""
    guide = "The Guide & more!"
    assert markdown(data) == [
        Section(["before"], (guide,), "", guide),
        Section(["one two three four"], (guide,), "the-guide--more", guide),
        Section(["# no heading\n\n  run"], (guide, "Set-up"), "set-up", guide),
        Section(["x", "y"], (guide, "Set-up", "Deep"), "deep", guide),
        Section(["a | b", "1 | 2", "raw html"], (guide, "Set-up"), "set-up-1", guide),
    ]


def test_html_is_read_without_what_is_round_it() -> None:
    data = """<!doctype html><head><title> A &amp;
 B </title><style>no</style></head><body><header><h1>Site</h1></header><nav>no<nav>no</nav></nav>
<p>In<b>tro</b>.<script>no</script><!-- no --></p><p hidden>no</p><svg><text>no</text></svg>
<h2 id=one>One <a href="#one">¶</a></h2>loose<div>first<p>second</p>third</div>
<section id=two><span id=x></span><h3>Two</h3><pre>
  a
    b
</pre><table><tr><td>1</td><td>2<br>3</td></tr></table></section>
<h2><a name=three></a>Three</h2><ul><li>x<li>y</ul>
<div aria-hidden=true>no</div><footer>no</footer>"""
    title = "A & B"
    assert html(data) == [
        Section(["Intro."], (title,), "", title),
        Section(["loose", "first", "second", "third"], ("One",), "one", title),
        Section(["  a\n    b", "1 | 2 3"], ("One", "Two"), "two", title),
        Section(["x", "y"], ("Three",), "three", title),
    ]


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (markdown, "# Zoo\n## Bees\n## Cats\nx\n### Lions\n## Dogs\n###\n#### Pugs\n## Eels\n"),
        (
            html,
            """<h1>Zoo</h1><h2>Bees</h2><h2>Cats</h2>x<h3>Lions</h3><h2>Dogs</h2><h3></h3>
            <h4>Pugs</h4><div><h2>Eels</h2><p> </p></div><nav>no</nav>""",
        ),
    ],
)
def test_a_heading_with_nothing_below_it_is_a_text(
    read: Callable[[str], list[Section]], text: str
) -> None:
    texts = [(section.paragraphs, section.headings[1:]) for section in read(text)]
    assert texts == [
        (["Bees"], ("Bees",)),
        (["x"], ("Cats",)),
        (["Lions"], ("Cats", "Lions")),
        (["Dogs"], ("Dogs",)),
        (["Pugs"], ("Dogs", "Pugs")),
        (["Eels"], ("Eels",)),
    ]


@pytest.mark.parametrize("page", ["<main>{}</main>", "<div role=main>{}</div>", "<article>{}"])
def test_html_is_read_where_its_content_is(page: str) -> None:
    content = "<header><h1 id=a>A</h1></header>x<nav>no</nav>"
    sections = html(f"<aside>no</aside><p>no</p>{page.format(content)}")
    assert sections == [Section(["x"], ("A",), "a", "A")]


def test_html_of_several_articles_is_read_whole() -> None:
    sections = html("<article>a</article><article>b</article>")
    assert sections == [Section(["a", "b"])]


def test_html_may_be_nested_deeply() -> None:
    (section,) = html("<div>" * 20_000 + "x")
    assert section.paragraphs == ["x"]


@pytest.mark.parametrize("sign", ["> ", "- "])
def test_markdown_is_nested_as_deep_as_it_is_read_or_refused(sign: str) -> None:
    most = 99 if sign == "> " else 49
    (section,) = markdown(sign * most + "x")
    assert section.paragraphs == ["x"]
    for depth in (most + 1, most + 2, 20_000):
        with pytest.raises(ValueError, match=r"^quotes and lists nested more than 100 deep"):
            markdown("before\n\n" + sign * depth + "x")


def lines_run(read: Callable[[str], list[Section]], text: str) -> int:
    """Count the lines of Python that reading a text runs."""
    count = 0

    def trace(_frame: FrameType, _event: str, _argument: Any) -> Any:
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        read(text)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize(
    ("read", "pattern"),
    [
        (markdown, "# a\n"),
        (markdown, "a\n=\n"),
        (markdown, "a\n-\n"),
        (markdown, "- a\n"),
        (markdown, "> a\nb\n"),
        (markdown, "[a"),
        (markdown, "*a **b "),
        (markdown, "|a|b|\n|-|-|\n|1|2|\n\n"),
        (markdown, "[a]: b\n\n[a]\n\n"),
        (html, "<h2 id=a>a</h2>b"),
        (html, "<td> "),
        (html, "<p>a<h2>b</h2>"),
        (html, "<h1>a<div>"),
        (html, "<div id=a><h2>b</h2>"),
        (html, "<h1><a>#</a>"),
    ],
)
def test_twice_the_text_takes_twice_the_work(
    read: Callable[[str], list[Section]], pattern: str
) -> None:
    count = 1000 if read is html else 200  # pages of few tags are not checked
    begin = "<table>" if pattern == "<td> " else ""
    once, twice = (lines_run(read, begin + pattern * n) for n in (count, 2 * count))
    assert twice < 2.2 * once


def test_equal_headings_have_the_anchors_of_github() -> None:
    sections = markdown("# a\n# a-1\n# a\n# a\n# a-1\n# b\n")
    assert [section.anchor for section in sections] == ["a", "a-1", "a-2", "a-3", "a-1-1", "b"]


def test_unclosed_headings_do_not_repeat_their_text() -> None:
    (section,) = html("<h1>a<div>" * 500)
    assert section.headings == (" ".join("a" * 500),)
    assert section.paragraphs == [" ".join("a" * 500)]
    (section,) = html("<h1>a<div>" * 2000 + "<p>b")
    assert section.headings[0].startswith("a a a")
    assert len(section.headings[0]) == 1000
    assert section.paragraphs == [" ".join("a" * 2000) + " b"]


def test_a_long_heading_is_a_paragraph() -> None:
    long = " ".join(["word"] * 1000)
    sections = markdown(f"{long}\n---\n### Below\ntext\n")
    short = long[:999] + "\u2026"
    assert sections == [
        Section([long], (short,), sections[0].anchor),
        Section(["text"], (short, "Below"), "below"),
    ]


def test_a_heading_with_blocks_is_a_heading_only() -> None:
    sections = html("<h1><div>One</div><div>Two<br>three</div></h1>text")
    assert sections == [Section(["text"], ("One Two three",), "", "One Two three")]


def test_the_first_heading_of_a_section_has_its_anchor() -> None:
    page = "<body><div id=s>{}<h2>A</h2>a<h2>B</h2>b</div><section id=t><div><h3>C</h3>c"
    for before in ("", "<p>x" * 50, "<p hidden><h2 hidden>no</h2>"):
        anchors = [section.anchor for section in html(page.format(before)) if section.headings]
        assert anchors == ["s", "", ""]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("<div>" * 30_000, "elements are nested, or were never closed; close them"),
        ("".join(f"<p><b id={number}>" for number in range(4200)), "formatting elements, such as"),
        ("<p " + "".join(f"a{number} " for number in range(20_000)) + ">", "has 20,000 attributes"),
    ],
)
def test_pages_that_no_parser_reads_quickly_are_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        html(text)
    with pytest.raises(ValueError, match=problem):
        markdown(text)
