"""On CPython: twinvec beside fastembed, sentence-transformers and bare ONNX Runtime."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import onnxruntime as ort
from corpora import Workload
from subject import Subject

Encode: TypeAlias = Callable[[list[str]], Any]


def contenders(subject: Subject, workload: Workload) -> dict[str, Callable[[], float]]:
    """Give what is timed on a workload; each call takes seconds, and gives how many."""
    texts, embedder, folder = workload.texts, subject.embedder, subject.folder
    runs = list(embedder.pipeline.runs(texts))
    found: dict[str, Callable[[], float]] = {
        "twinvec": partial(timed, partial(embedder.encode, texts)),
        "bare ONNX Runtime": partial(timed, _bound(folder / "onnx" / "model.onnx", runs)),
    }
    peers: dict[str, Callable[[], Encode]] = {
        "fastembed": partial(_fastembed, folder),
        "sentence-transformers, ONNX": partial(_sentence_transformers, folder, backend="onnx"),
        "sentence-transformers, PyTorch": partial(
            _sentence_transformers, subject.source, backend="torch"
        ),
    }
    for name, opened in peers.items():
        with suppress(ImportError):
            found[name] = partial(timed, partial(opened(), texts))
    return found


def timed(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _bound(model: Path, runs: list[Any]) -> Callable[[], Any]:
    """Run exactly the runs that twinvec makes, from a pool of threads, and nothing else."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    pool = ThreadPoolExecutor(os.cpu_count())
    return lambda: list(pool.map(partial(session.run, None), runs))


def _fastembed(folder: Path) -> Encode:
    from fastembed import TextEmbedding
    from fastembed.common.model_description import ModelSource, PoolingType

    name = "local/minilm"
    if name not in {model["model"] for model in TextEmbedding.list_supported_models()}:
        TextEmbedding.add_custom_model(
            model=name,
            pooling=PoolingType.MEAN,
            normalization=True,
            sources=ModelSource(hf=name),
            dim=384,
            model_file="onnx/model.onnx",
        )
    model = TextEmbedding(name, specific_model_path=str(folder))
    return lambda texts: list(model.embed(texts))


def _sentence_transformers(folder: Path, backend: str) -> Encode:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), backend=backend)
    encode: Encode = model.encode
    return encode
