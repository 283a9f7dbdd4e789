"""Files made to take endless time or memory: each is read in bounded time, or refused by name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT
from twinvec import Embedder

SECONDS = 240  # for all files together
OUTPUT_PER_CHARACTER = 400  # ten characters of a heading have an id, a title and a URL, too

READER = """
import json, sys, resource
from pathlib import Path
from twinvec import Embedder
from twinvec.documents.chunker import Chunker
from twinvec.documents.corpus import read_passages
from twinvec.documents.find import Source

resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
chunker = Chunker(Embedder.from_pretrained(sys.argv[1], local_files_only=True, self_check=False))
for file in sorted(Path(sys.argv[2]).iterdir()):
    errors, size = [], 0
    source = Source(file, file.name)
    for passage in read_passages([source], chunker, url_prefix="/", on_error=errors.append):
        size += len(passage.id) + len(passage.text) + len(json.dumps(passage.metadata))
    messages = [(type(error).__name__, error.name, str(error)) for error in errors[:5]]
    print(json.dumps([file.name, size, messages]), flush=True)
"""


def numbered(pattern: str, count: int) -> str:
    return "".join(pattern.format(number) for number in range(count))


READ = {
    "equal headings.md": "# a\n" * 10_000,
    "setext.md": "a\n=\n" * 10_000,
    "quotes.md": "> " * 90 + "a\n" + "b\n" * 1000,
    "brackets.md": "[" * 20_000,
    "cells.md": "|" + "a|" * 1000 + "\n|" + "-|" * 1000 + "\n" + "a\n" * 1000,
    "long heading.md": "# " + "word " * 10_000 + "\n" + "## a\nb\n" * 2000,
    "control.md": "\x01\n\n" * 10_000,
    "cells.html": "<table><tr>" + "<td> " * 50_000 + "<td>a",
    "headings.html": "<h1>a<div>" * 2000,
    "sections.html": "<div id=a>" + "<p>a" * 10_000 + "<h2>b</h2>c" * 2000,
    "ids.html": numbered("<h2 id=x:{}>a</h2>b", 5000) + "<h2 id=x>a</h2>b" * 2,
    "one id.html": "<h2 id=x>a</h2>b" * 5000,
    "long id.html": f"<h1 id={'x' * 50_000}>a</h1>" + "<p>word" * 5000,
    "long title.html": f"<title>{'word ' * 10_000}</title>" + "<h2>a</h2>b" * 2000,
    "control.txt": "\x01\n\n" * 20_000,
    "line.txt": "word " * 50_000,
    "word.txt": "x" * 1_000_000,
    "lines.txt": "\n" * 1_000_000 + "a",
    "quote.csv": 'text\na\n"' + "b\n" * 20_000,
    "field.csv": "text\n" + "x" * 1_000_000,
    "nested.jsonl": "[" * 100_000 + '\n{"text": "a"}',
    "number.jsonl": '{"text": "a", "n": ' + "1" * 100_000 + '}\n{"text": "a"}\n',
}
WITH_BAD_RECORDS = {"quote.csv", "nested.jsonl", "number.jsonl"}
REFUSED = {
    "nested.md": "> " * 20_000 + "a",
    "html in.md": "<div>" * 100_000,
    "nested.html": "<div>" * 100_000,
    "formatting.html": numbered("<p><b id={}>", 4200),
    "attributes.html": "<p " + numbered("a{} ", 50_000) + ">",
    "no.pdf": "%PDF-1.4\n" + "1 0 obj\n" * 50_000,
}


@pytest.mark.skipif(sys.platform == "win32", reason="processes have no limit on memory there")
def test_hostile_files_take_bounded_time_and_space(embedder: Embedder, tmp_path: Path) -> None:
    for name, text in (READ | REFUSED).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    answer = subprocess.run(
        [sys.executable, "-c", READER, embedder.info.name, tmp_path],
        env={**os.environ, "PYTHONPATH": str(ROOT / "py")},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr[-2000:]
    results = {name: rest for name, *rest in map(json.loads, answer.stdout.splitlines())}
    assert results.keys() == READ.keys() | REFUSED.keys()
    for name, (size, errors) in results.items():
        expected = "FileError" if name in REFUSED else "RecordError"
        assert all(kind == expected for kind, _, _ in errors), errors
        assert all(file == name and message.startswith(name) for _, file, message in errors)
        assert bool(errors) == (name in REFUSED or name in WITH_BAD_RECORDS), name
        assert (size > 0) == (name in READ), name
        assert size < OUTPUT_PER_CHARACTER * (tmp_path / name).stat().st_size, name
