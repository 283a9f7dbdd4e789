from __future__ import annotations

from pathlib import Path

import pytest

from twinvec import errors


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (errors.FileError("a.pdf", "bad"), "a.pdf: bad"),
        (errors.FileError("a.md", "bad", 3), "a.md, line 3: bad"),
        (errors.FieldError("a.csv", "no field", 1), "a.csv, line 1: no field"),
        (errors.RecordError("a.csv", "bad", 2), "a.csv, line 2: bad"),
        (errors.RecordFieldError("a.parquet", "bad", 2, "row"), "a.parquet, row 2: bad"),
    ],
)
def test_errors_of_files_name_the_place(error: errors.FileError, message: str) -> None:
    assert str(error) == message
    assert isinstance(error, errors.CorpusError)


def test_errors_carry_data() -> None:
    record = errors.RecordError("a.parquet", "bad", 2, "row")
    assert (record.name, record.problem, record.line, record.unit) == ("a.parquet", "bad", 2, "row")
    format_ = errors.FormatError("a.xyz", iter([".txt", ".md"]))
    assert (format_.name, format_.suffixes) == ("a.xyz", (".txt", ".md"))
    assert str(format_) == "a.xyz: unknown format; known suffixes are .txt, .md"
    folder = errors.FolderError("docs", "Permission denied")
    assert (folder.folder, folder.reason) == ("docs", "Permission denied")
    clash = errors.NameClashError((Path("a/x"), Path("b/x")), "x")
    assert (clash.files, clash.name) == ((Path("a/x"), Path("b/x")), "x")


def test_a_hash_mismatch_says_what_to_do() -> None:
    error = errors.IntegrityError("a.onnx", "12", "34")
    assert (error.file, error.expected, error.found) == ("a.onnx", "12", "34")
    assert str(error).startswith(
        "a.onnx: hash mismatch: expected 12, found 34. The file was deleted."
    )
    assert str(errors.IntegrityError("a.onnx", "12", "34", "Update it.")).endswith("34. Update it.")
    assert isinstance(error, errors.DownloadError)


def test_the_docstring_lists_every_error() -> None:
    document = str(errors.__doc__)
    for name, value in vars(errors).items():
        if isinstance(value, type) and issubclass(value, Exception):
            assert name in document


def test_a_warning_names_the_line_outside_of_the_package() -> None:
    with pytest.warns(UserWarning, match="careful") as caught:
        errors.warn_caller(UserWarning("careful"))
    assert caught[0].filename == __file__
