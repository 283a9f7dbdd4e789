from __future__ import annotations

import builtins
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from twinvec import CorpusError
from twinvec.documents.readers import SUFFIXES, Section, read_sections

TEXTUAL = set(SUFFIXES) - {".csv", ".tsv", ".parquet", ".pdf"}


def read(folder: Path, name: str, data: str | bytes, **options: Any) -> list[Section]:
    file = folder / name
    file.write_bytes(data.encode() if isinstance(data, str) else data)
    sections = list(read_sections(file, name, **options))
    return [Section(list(s.paragraphs), s.headings, s.anchor, s.title, s.page) for s in sections]


def pdf(pages: list[str], title: str = "") -> bytes:
    """Write a PDF by hand: one line of Helvetica a page."""
    kids = " ".join(f"{4 + 2 * i} 0 R" for i in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for i, text in enumerate(pages):
        stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET"
        objects += [
            (
                f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * i} 0 R "
                "/Resources << /Font << /F1 3 0 R >> >> >>"
            ),
            f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream",
        ]
    objects.append(f"<< /Title ({title}) >>" if title else "<< >>")
    out, offsets = io.BytesIO(), []
    out.write(b"%PDF-1.4\n")
    for number, content in enumerate(objects, 1):
        offsets.append(out.tell())
        out.write(f"{number} 0 obj\n{content}\nendobj\n".encode())
    start, count = out.tell(), len(objects) + 1
    entries = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    out.write(f"xref\n0 {count}\n0000000000 65535 f \n{entries}".encode())
    trailer = f"trailer\n<< /Size {count} /Root 1 0 R /Info {count - 1} 0 R >>"
    out.write(f"{trailer}\nstartxref\n{start}\n%%EOF\n".encode())
    return out.getvalue()


@pytest.mark.parametrize("name", [f"empty{suffix}" for suffix in sorted(TEXTUAL)])
def test_an_empty_file_has_no_text(tmp_path: Path, name: str) -> None:
    assert all(not section.paragraphs for section in read(tmp_path, name, "\ufeff"))


def test_text(tmp_path: Path) -> None:
    data = "\ufeffa\r\nb\r\n\r\n \r\n c\u2028d\r\n"
    assert read(tmp_path, "a.txt", data) == [Section(["a\nb", " c\u2028d"])]


def test_a_text_without_blank_lines_is_not_read_whole(tmp_path: Path) -> None:
    lines = [f"{number}: what a log says" for number in range(20_000)]
    (section,) = read(tmp_path, "a.txt", "\n".join(lines))
    assert "\n".join(section.paragraphs) == "\n".join(lines)
    assert max(map(len, section.paragraphs)) < 80_000


def test_markdown_has_the_anchors_of_github(tmp_path: Path) -> None:
    data = """\ufeff---\r
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
    assert read(tmp_path, "a.MD", data) == [
        Section(["before"], (guide,), "", guide),
        Section(["one two three four"], (guide,), "the-guide--more", guide),
        Section(["# no heading\n\n  run"], (guide, "Set-up"), "set-up", guide),
        Section(["x", "y"], (guide, "Set-up", "Deep"), "deep", guide),
        Section(["a | b", "1 | 2", "raw html"], (guide, "Set-up"), "set-up-1", guide),
    ]


def test_html_is_read_without_what_is_round_it(tmp_path: Path) -> None:
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
    assert read(tmp_path, "a.html", data) == [
        Section(["Intro."], (title,), "", title),
        Section(["loose", "first", "second", "third"], ("One",), "one", title),
        Section(["  a\n    b", "1 | 2 3"], ("One", "Two"), "two", title),
        Section(["x", "y"], ("Three",), "three", title),
    ]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.md", "# Zoo\n## Bees\n## Cats\nx\n### Lions\n## Dogs\n###\n#### Pugs\n## Eels\n"),
        (
            "a.html",
            """<h1>Zoo</h1><h2>Bees</h2><h2>Cats</h2>x<h3>Lions</h3><h2>Dogs</h2><h3></h3>
            <h4>Pugs</h4><div><h2>Eels</h2><p> </p></div><nav>no</nav>""",
        ),
    ],
)
def test_a_heading_with_nothing_below_it_is_a_text(tmp_path: Path, name: str, data: str) -> None:
    found = [(section.paragraphs, section.headings[1:]) for section in read(tmp_path, name, data)]
    assert found == [
        (["Bees"], ("Bees",)),
        (["x"], ("Cats",)),
        (["Lions"], ("Cats", "Lions")),
        (["Dogs"], ("Dogs",)),
        (["Pugs"], ("Dogs", "Pugs")),
        (["Eels"], ("Eels",)),
    ]


@pytest.mark.parametrize("page", ["<main>{}</main>", "<div role=main>{}</div>", "<article>{}"])
def test_html_is_read_where_its_content_is(tmp_path: Path, page: str) -> None:
    content = "<header><h1 id=a>A</h1></header>x<nav>no</nav>"
    found = read(tmp_path, "a.htm", f"<aside>no</aside><p>no</p>{page.format(content)}")
    assert found == [Section(["x"], ("A",), "a", "A")]


def test_html_of_several_articles_is_read_whole(tmp_path: Path) -> None:
    found = read(tmp_path, "a.html", "<article>a</article><article>b</article>")
    assert found == [Section(["a", "b"])]


def test_html_may_be_nested_deeply(tmp_path: Path) -> None:
    (section,) = read(tmp_path, "a.xhtml", "<div>" * 20_000 + "x")
    assert section.paragraphs == ["x"]


@pytest.mark.parametrize("sign", ["> ", "- "])
def test_markdown_is_nested_as_deep_as_it_is_read_or_refused(tmp_path: Path, sign: str) -> None:
    most = 99 if sign == "> " else 49
    (section,) = read(tmp_path, "a.md", sign * most + "x")
    assert section.paragraphs == ["x"]
    for depth in (most + 1, most + 2, 20_000):
        with pytest.raises(CorpusError, match=r"^a.md: quotes and lists nested more than 100 deep"):
            read(tmp_path, "a.md", "before\n\n" + sign * depth + "x")


def test_records(tmp_path: Path) -> None:
    texts = ["a\n\nb", "c"]
    rows = [{"body": text} for text in texts]
    expected = [Section(["a", "b"]), Section(["c"])]
    data = "\n".join(map(json.dumps, rows))
    assert read(tmp_path, "a.jsonl", data, field="body") == expected
    assert read(tmp_path, "a.csv", 'body,x\n"a\n\nb",1\nc,2\n', field="body") == expected
    assert read(tmp_path, "a.tsv", 'x\tbody\n1\t"a\n\nb"\n2\tc\n', field="body") == expected
    pq.write_table(pa.table({"body": texts}), tmp_path / "t")
    data_ = (tmp_path / "t").read_bytes()
    assert read(tmp_path, "a.parquet", data_, field="body") == expected


def test_pdf(tmp_path: Path) -> None:
    assert read(tmp_path, "a.pdf", pdf(["Hello world.", "", "Bye."], "A title")) == [
        Section(["Hello world."], ("A title",), "page=1", "A title", 1),
        Section([], ("A title",), "page=2", "A title", 2),
        Section(["Bye."], ("A title",), "page=3", "A title", 3),
    ]
    assert read(tmp_path, "a.pdf", pdf(["Hi."])) == [Section(["Hi."], (), "page=1", "", 1)]


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        ("a.txt", b"a\nb\xff", "a.txt, line 2: not valid UTF-8"),
        ("a.md", b"# a\n\nb\xff", r"^a.md, line 3: not valid UTF-8 \(byte 0xff: .* save it as UTF"),
        ("a.html", b"a\xfe", "^a.html, line 1: not valid UTF-8"),
        ("a.jsonl", b"[]", "a.jsonl, line 1: the line is an array"),
        ("a.csv", b"", "a.csv is empty"),
        ("a.parquet", b"no", "a.parquet: not a Parquet file"),
        ("a.pdf", b"", "^a.pdf: not a PDF that can be read"),
        ("a.pdf", b"%PDF-1.4\nno", "^a.pdf: not a PDF that can be read"),
        ("a.pdf", pdf(["a"])[:200], "^a.pdf: not a PDF that can be read"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, name: str, data: bytes, problem: str) -> None:
    with pytest.raises(CorpusError, match=problem):
        read(tmp_path, name, data)


@pytest.mark.parametrize("suffix", sorted({*TEXTUAL, ".csv", ".tsv"}))
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_text_of_another_encoding_is_refused_whole(
    tmp_path: Path, suffix: str, encoding: str
) -> None:
    data = "\ufeff日本\ntext\n".encode(encoding)
    skipped: list[int] = []
    with pytest.raises(CorpusError, match=f"^a{suffix}: not UTF-8 but .*; save it as UTF-8$"):
        read(tmp_path, f"a{suffix}", data, skipped=skipped)
    assert skipped == []


def test_bad_lines_are_left_out_where_asked(tmp_path: Path) -> None:
    skipped: list[int] = []
    assert read(tmp_path, "a.txt", b"a\n\xff\nb\n", skipped=skipped) == [Section(["a\nb"])]
    assert skipped == [2]


@pytest.mark.parametrize(
    ("name", "package"),
    [("a.md", "markdown_it"), ("a.html", "selectolax.lexbor"), ("a.pdf", "pypdf")],
)
def test_a_missing_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, package: str
) -> None:
    import sys

    monkeypatch.delitem(sys.modules, "twinvec.documents.markup", raising=False)
    imported = builtins.__import__

    def without(module: str, *rest: Any, **options: Any) -> Any:
        if module == package:
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)
        return imported(module, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(CorpusError, match=rf"^{name}: .* pip install 'twinvec\[index\]'$"):
        read(tmp_path, name, "a")
