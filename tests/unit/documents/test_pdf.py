from __future__ import annotations

import io
import zlib
from pathlib import Path

import pytest

from twinvec.documents.pdf import pdf_sections
from twinvec.documents.section import Section
from twinvec.errors import FileError


def read(folder: Path, data: bytes) -> list[Section]:
    file = folder / "a.pdf"
    file.write_bytes(data)
    return list(pdf_sections(file, "a.pdf"))


def pdf(pages: list[str], title: str = "") -> bytes:
    """Write a PDF by hand: one line of Helvetica a page."""
    kids = " ".join(f"{4 + 2 * i} 0 R" for i in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        FONT,
    ]
    for i, text in enumerate(pages):
        objects += [page(5 + 2 * i), stream(f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode())]
    objects.append(f"<< /Title ({title}) >>".encode() if title else b"<< >>")
    return document(objects)


FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"


def page(contents: int, resources: str = "/Font << /F1 3 0 R >>") -> bytes:
    return (
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {contents} 0 R "
        f"/Resources << {resources} >> >>"
    ).encode()


def stream(content: bytes, entries: str = "") -> bytes:
    packed = zlib.compress(content)
    head = f"<< /Length {len(packed)} /Filter /FlateDecode {entries} >>\nstream\n"
    return head.encode() + packed + b"\nendstream"


def document(objects: list[bytes]) -> bytes:
    """Number the objects, of which the first is the catalog and the last the description."""
    out, offsets = io.BytesIO(), []
    out.write(b"%PDF-1.4\n")
    for number, content in enumerate(objects, 1):
        offsets.append(out.tell())
        out.write(f"{number} 0 obj\n".encode() + content + b"\nendobj\n")
    start, count = out.tell(), len(objects) + 1
    entries = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    out.write(f"xref\n0 {count}\n0000000000 65535 f \n{entries}".encode())
    trailer = f"trailer\n<< /Size {count} /Root 1 0 R /Info {count - 1} 0 R >>"
    out.write(f"{trailer}\nstartxref\n{start}\n%%EOF\n".encode())
    return out.getvalue()


LINES = b"BT /F1 12 Tf (hello) Tj ET\n" * 4000


def pages_that_share_their_content() -> bytes:
    kids = " ".join(f"{number} 0 R" for number in range(5, 305))
    pages = f"<< /Type /Pages /Kids [{kids}] /Count 300 >>".encode()
    catalog = b"<< /Type /Catalog /Pages 2 0 R >>"
    return document([catalog, pages, FONT, stream(LINES), *[page(4)] * 300, b"<< >>"])


def form_that_is_drawn_often() -> bytes:
    catalog, pages = b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Kids [4 0 R] /Count 1 >>"
    drawing = page(5, "/XObject << /X 6 0 R >>")
    form = stream(LINES, "/Type /XObject /Subtype /Form /BBox [0 0 1 1]")
    return document([catalog, pages, FONT, drawing, stream(b"/X Do " * 4000), form, b"<< >>"])


def test_pdf(tmp_path: Path) -> None:
    assert read(tmp_path, pdf(["Hello world.", "", "Bye."], "A title")) == [
        Section(["Hello world."], ("A title",), "page=1", "A title", 1),
        Section([], ("A title",), "page=2", "A title", 2),
        Section(["Bye."], ("A title",), "page=3", "A title", 3),
    ]
    assert read(tmp_path, pdf(["Hi."])) == [Section(["Hi."], (), "page=1", "", 1)]


@pytest.mark.parametrize("data", [b"", b"%PDF-1.4\nno", pdf(["a"])[:200]])
def test_a_damaged_file_is_named(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(FileError, match=r"^a\.pdf: not a PDF that can be read"):
        read(tmp_path, data)


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(pdf_sections(tmp_path / "a.pdf", "a.pdf"))


@pytest.mark.parametrize(
    "data", [pages_that_share_their_content(), form_that_is_drawn_often()], ids=["pages", "forms"]
)
def test_a_small_file_of_endless_text_is_refused(tmp_path: Path, data: bytes) -> None:
    assert len(data) < 50_000
    with pytest.raises(FileError, match=r"^a\.pdf: its pages unpack to more than .* bytes, many"):
        read(tmp_path, data)


def test_a_long_title_is_not_repeated_for_each_page(tmp_path: Path) -> None:
    sections = read(tmp_path, pdf(["a", "b"], "title " * 10_000))
    assert [len(section.title) for section in sections] == [1000, 1000]
    assert [section.headings for section in sections] == [(sections[0].title,)] * 2
