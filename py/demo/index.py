"""The index of the demo's corpus, cached so that most builds only copy it."""

from __future__ import annotations

import hashlib
import json
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from demo.python_docs import stdlib_passages
from twinvec.cli.progress import ProgressBars
from twinvec.documents.chunker import Chunker
from twinvec.download import cache_root
from twinvec.index.format import MANIFEST
from twinvec.index.manifest import VERSION
from twinvec.index.writing.shards import check_folder, replace_folder
from twinvec.index.writing.update import write_index

if TYPE_CHECKING:
    from twinvec.embedder import Embedder


def index_stdlib(out: Path, embedder: Embedder) -> int:
    """Write an index of the standard library's documentation.

    The cache has an index for each fingerprint and version of the format. Another version of Python
    or of the code embeds only the passages that it changed.

    Returns:
        The number of passages that had to be embedded.

    Raises:
        IndexFormatError: `out` exists and is not an index.
    """
    check_folder(out)  # before the work
    identity = json.dumps([VERSION, embedder.fingerprint], sort_keys=True)
    cached = cache_root() / "stdlib_docs" / hashlib.sha256(identity.encode()).hexdigest()[:16]
    index, stamp = cached / "index", cached / "made"
    key, embedded = _code_version(), 0
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != key:
        embedded = _update_index(index, embedder)
        stamp.write_text(key, encoding="utf-8")
    manifest = out / MANIFEST
    if not manifest.is_file() or manifest.read_bytes() != (index / MANIFEST).read_bytes():
        replace_folder(out, index)
    return embedded


def _update_index(folder: Path, embedder: Embedder) -> int:
    """Embed the passages that the index lacks; return their number."""
    with closing(ProgressBars()) as bars:
        show_reading = bars.callback("Reading", "passages")
        written = write_index(
            stdlib_passages(Chunker(embedder)),
            folder,
            embedder,
            on_read=lambda count: show_reading(count, None),
            on_embed=bars.callback("Embedding", "passages"),
        )
    return written.embedded


def _code_version() -> str:
    """Return a key that changes with Python and with the code that reads and cuts the corpus."""
    sources = sorted(Path(__file__).parents[1].rglob("*.py"))
    digests = b"".join(hashlib.sha256(file.read_bytes()).digest() for file in sources)
    return f"{sys.version} {hashlib.sha256(digests).hexdigest()}"
