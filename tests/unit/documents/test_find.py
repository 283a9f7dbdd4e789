from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from twinvec import CorpusError
from twinvec.documents.find import find_sources
from twinvec.errors import FolderError, FormatError, NameClashError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in (
        "docs/b.md", "docs/a/z.HTML", "docs/a.txt", "docs/.hidden.md", "docs/.git/x.md",
        "docs/a/x.png", "docs/a-b/c.md", "more/b.md", "one.pdf", "odd.xyz", "docs/a/.x/y.md",
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def is_site(folder: Path) -> bool:
    return folder.name == "site"


def names(*named: str, include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()) -> list[str]:
    sources = find_sources(named, include=include, exclude=exclude, skip_folder=is_site)
    return [source.name for source in sources]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("named", "expected"),
    [
        (["docs"], ["a/z.HTML", "a-b/c.md", "a.txt", "b.md"]),
        (["docs/"], ["a/z.HTML", "a-b/c.md", "a.txt", "b.md"]),
        (["one.pdf", "docs/a"], ["one.pdf", "z.HTML"]),
        (["docs/**/*.md"], ["a-b/c.md", "b.md"]),
        (["docs/**"], ["a/z.HTML", "a-b/c.md", "a.txt", "b.md"]),
        (["docs/**/a*/**"], ["a/z.HTML", "a-b/c.md", "a.txt"]),
        (["docs/a*"], ["a.txt"]),
        (["*/b.md"], ["docs/b.md", "more/b.md"]),
        (["docs/.git"], ["x.md"]),
        (["docs", "docs"], ["a/z.HTML", "a-b/c.md", "a.txt", "b.md"]),
    ],
)
def test_files_folders_and_globs(named: list[str], expected: list[str]) -> None:
    assert names(*named) == expected


def test_an_absolute_glob(folder: Path) -> None:
    (source,) = find_sources([f"{folder}/mor[e]/*.md"], skip_folder=is_site)
    assert (source.file, source.name) == (folder / "more" / "b.md", "more/b.md")


@pytest.mark.usefixtures("folder")
def test_patterns_choose_by_name_or_path() -> None:
    assert names("docs", include=("*.md",)) == ["a-b/c.md", "b.md"]
    assert names("docs", include=("a/*", "b.md")) == ["a/z.HTML", "b.md"]
    assert names("docs", include=("*.md",), exclude=("a-b/*",)) == ["b.md"]
    assert names("docs", exclude=("a-b", "b.md")) == ["a/z.HTML", "a.txt"]
    assert names(".", exclude=("docs/a", "more")) == [
        "docs/a-b/c.md",
        "docs/a.txt",
        "docs/b.md",
        "one.pdf",
    ]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("named", "error_type", "problem"),
    [
        (["nothing"], CorpusError, "^nothing does not exist$"),
        (["odd.xyz"], FormatError, "^odd.xyz: unknown format; known suffixes are .txt, .md"),
        (["docs/*.xyz"], CorpusError, r"^no file to index in docs/\*.xyz; known suffixes are"),
        (
            ["nothing/*.md", "one.pdf/*"],
            CorpusError,
            r"^no file to index in nothing/\*.md, one.pdf/\*; known",
        ),
        (
            ["docs", "more"],
            NameClashError,
            "docs/b.md and more/b.md would both be called b.md; index the folder",
        ),
    ],
)
def test_a_problem_is_named(named: list[str], error_type: type[CorpusError], problem: str) -> None:
    with pytest.raises(error_type, match=problem):
        names(*named)


@pytest.mark.parametrize("named", ["docs", "docs/**"])
def test_files_that_twinvec_wrote_are_left_out(folder: Path, named: str) -> None:
    expected = names(named)
    for name in (
        "docs/documents-0123456789abcdef.jsonl", "docs/site/index.html",
        "docs/site/models/vocab.txt", "docs/site/x/page.md",
    ):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    assert names(named) == expected
    with pytest.raises(CorpusError, match="files that twinvec wrote itself are left out"):
        names("docs/site")


@pytest.mark.usefixtures("folder")
def test_a_folder_that_cannot_be_read_is_named_and_can_be_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scan = os.scandir

    def refuse(place: str) -> Any:
        if Path(place).name == "a-b":  # its permissions would not stop an administrator
            raise PermissionError(errno.EACCES, "Permission denied", place)
        return scan(place)

    monkeypatch.setattr(os, "scandir", refuse)
    for named in ("docs", "docs/**"):
        with pytest.raises(FolderError, match=r"a-b cannot be read \(Permission") as caught:
            names(named)
        assert Path(caught.value.folder).name == "a-b"
        assert names(named, exclude=("a-b",)) == ["a/z.HTML", "a.txt", "b.md"]
    assert names("docs/*.md") == ["b.md"]
