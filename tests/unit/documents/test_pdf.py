from __future__ import annotations

import io
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
