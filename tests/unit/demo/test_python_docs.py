from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from demo.python_docs import stdlib_passages
from twinvec.documents.chunker import Chunker

if TYPE_CHECKING:
    from twinvec import Embedder


def test_the_standard_library_documents_itself(embedder: Embedder) -> None:
    chunker = Chunker(embedder)
    passages = {passage.id: passage for passage in stdlib_passages(chunker)}
    assert len(passages) > 4000
    base = r"https://docs\.python\.org/3\.\d+/"
    for name, start, url in (
        ("library/json#json.dumps", "json.dumps\ndumps(obj, *", "library/json.html#json.dumps"),
        ("library/stdtypes#str.split", "str.split\n", "library/stdtypes.html#str.split"),
        ("library/exceptions#KeyError", "KeyError\n", "library/exceptions.html#KeyError"),
        ("library/functions#print", "print\n", "library/functions.html#print"),
        ("library/math#math.sqrt", "math.sqrt\n", "library/math.html#math.sqrt"),
        ("topics/while#while", "The while statement\n", "reference/compound_stmts.html#while"),
    ):
        assert passages[name].text.startswith(start)
        assert re.fullmatch(base + re.escape(url), passages[name].metadata["url"])
    assert not any(re.search("at 0x[0-9a-f]+>", passage.text) for passage in passages.values())
    assert not any(sys.prefix in passage.text for passage in passages.values())
    texts = [passage.text for passage in passages.values()]
    assert [passage.text for passage in stdlib_passages(chunker)] == texts
