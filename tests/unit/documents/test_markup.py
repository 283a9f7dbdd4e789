from __future__ import annotations

from collections.abc import Callable

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
