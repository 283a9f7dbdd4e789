"""Documents, their vectors and their terms, searched by meaning; see `format` for the files."""

from twinvec.index.documents import Document
from twinvec.index.index import Index
from twinvec.index.search import Hit
from twinvec.index.writing.writer import IndexWriter

__all__ = ["Document", "Hit", "Index", "IndexWriter"]
