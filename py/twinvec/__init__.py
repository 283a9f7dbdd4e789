"""Same text, same vector: one text-embedding pipeline for CPython and the browser."""

from twinvec.embedder import Embedder
from twinvec.encoding.pooling import normalize
from twinvec.encoding.quantize import quantize_embeddings
from twinvec.encoding.similarity import Match, cos_sim, dot, semantic_search
from twinvec.errors import (
    CorpusError,
    DownloadError,
    IndexFormatError,
    IndexMismatchError,
    InferenceError,
    IntegrityError,
    ModelError,
    ModelNotFoundError,
    ParityError,
    ParityWarning,
    SyncUnavailableError,
    TruncationWarning,
    TwinvecError,
    UnsupportedModelError,
)
from twinvec.index import Document, Hit, Index, IndexWriter

__all__ = [
    "CorpusError",
    "Document",
    "DownloadError",
    "Embedder",
    "Hit",
    "Index",
    "IndexFormatError",
    "IndexMismatchError",
    "IndexWriter",
    "InferenceError",
    "IntegrityError",
    "Match",
    "ModelError",
    "ModelNotFoundError",
    "ParityError",
    "ParityWarning",
    "SyncUnavailableError",
    "TruncationWarning",
    "TwinvecError",
    "UnsupportedModelError",
    "cos_sim",
    "dot",
    "normalize",
    "quantize_embeddings",
    "semantic_search",
]

__version__ = "0.1.0"
