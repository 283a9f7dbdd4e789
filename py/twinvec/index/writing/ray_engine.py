"""Encoding on a Ray cluster: texts are sent in batches, vectors return in any order.

Ray Data keeps a pool of actors, each with its own `Embedder`. When a worker dies, another one takes
over its batch. Neither order nor repetition matters: a vector is found by the digest of its text
(see `journal`), and the index is written afterwards by the same code as without Ray. Each text has
its own run, so a vector does not depend on its batch.

Files are read and cut into passages where the command runs, which takes a small part of the time.
So the workers need no files but the model's.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
from contextlib import redirect_stdout
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import ray
import ray.data
from ray.exceptions import RayError

from twinvec.errors import ClusterError, NoClusterError, TwinvecError
from twinvec.index.format import wide_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from types import TracebackType
    from typing import Self

    from numpy.typing import NDArray

    from twinvec.embedder import Embedder

BATCH_TEXTS = 256
"""Some seconds of work for one core, which are lost with a worker."""

_MODEL_ADVICE = (
    "Every machine of the cluster must be able to open the model: use its name on the Hugging Face "
    "Hub, or a folder that all machines see under the same path."
)
_CLUSTER_ADVICE = (
    "Vectors computed so far are saved; run again to resume. Every machine of the cluster needs "
    "the same versions of Python, twinvec and Ray: pip install 'twinvec[ray]'"
)


class RayEngine:
    """Encodes documents on a Ray cluster: an engine for `write_index`, and a context manager.

    ::

        def open_embedder():
            return Embedder.from_pretrained(name)

        with RayEngine(open_embedder, embedder.fingerprint, workers=4) as engine:
            write_index(documents, folder, embedder, engine=engine)

    Args:
        open_embedder: called once by every worker, on its machine.
        fingerprint: that the workers' embedders must have.
        address: `host:port` of the cluster's head, or `auto` on one of its machines; None starts a
            local cluster, which ends with the block.
        workers: number of actors, one core each; None for the number of cores in the cluster.
    """

    def __init__(
        self,
        open_embedder: Callable[[], Embedder],
        fingerprint: Mapping[str, Any],
        *,
        address: str | None = None,
        workers: int | None = None,
    ) -> None:
        self._worker = (open_embedder, dict(fingerprint))
        self._address, self._workers = address, workers
        self._stdout = redirect_stdout(sys.stderr)  # Ray reports dead workers there

    def __enter__(self) -> Self:
        """Join the cluster, or start a local one.

        Raises:
            NoClusterError: it cannot be reached, or does not start.
        """
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would report to its makers
        options: dict[str, Any] = {"address": self._address}
        if self._address is None:
            options = {"address": "local", "num_cpus": self._workers, "include_dashboard": False}
        try:
            _check_reachable(self._address)
            ray.init(**options, logging_level="error", log_to_driver=False)
        except Exception as err:  # Ray raises many kinds, RuntimeError and ConnectionError included
            raise NoClusterError(
                f"no Ray cluster at {self._address or 'this machine'}: {err}. Start one with "
                "`ray start --head`, and name its address. If it asks for a token, set "
                "RAY_AUTH_MODE=token"
            ) from err
        self._stdout.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        ray.shutdown()
        self._stdout.__exit__(kind, error, trace)

    def __call__(self, texts: Iterable[str]) -> Iterator[tuple[list[bytes], NDArray[np.float32]]]:
        """Encode texts as documents.

        The texts are put into Ray's object store first, which moves to disk whatever exceeds its
        memory. Vectors are yielded as they arrive.

        Yields:
            wide digests of some of the texts, and their vectors, float32 [digests, dim].

        Raises:
            ClusterError: a worker cannot open the model, or fails. A worker that dies is replaced.
        """
        ray.data.DataContext.get_current().enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        batches = [ray.put(batch) for batch in _batches(texts)]
        workers = self._workers or int(ray.cluster_resources().get("CPU", 1))
        dataset = ray.data.from_arrow_refs(batches).map_batches(
            _Worker,
            fn_constructor_args=self._worker,
            batch_size=None,  # batches keep their size
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(size=min(workers, len(batches))),
            num_cpus=1,
        )
        try:
            for table in dataset.iter_batches(batch_size=None, batch_format="pyarrow"):
                yield _vectors(table)
        except RayError as err:
            raise ClusterError(f"a worker failed: {err}. {_CLUSTER_ADVICE}") from err


class _Worker:
    """An actor: opens the model once, and encodes batches.

    A model that cannot be opened is reported in place of vectors, since an exception would come
    with pages of Ray's own calls.
    """

    def __init__(self, open_embedder: Callable[[], Embedder], fingerprint: dict[str, Any]) -> None:
        self._problem: str | None = None
        try:
            self._embedder = open_embedder()
        except (TwinvecError, OSError, ValueError) as err:
            self._problem = f"{type(err).__name__}: {err}"
            return
        own = self._embedder.fingerprint
        differing = [key for key, value in fingerprint.items() if own.get(key) != value]
        if differing:
            self._problem = f"its model differs in {', '.join(differing)}"

    def __call__(self, batch: pa.Table) -> pa.Table:
        if self._problem:
            host = socket.gethostname()
            problem = f"the worker on {host} cannot open the model: {self._problem}"
            return _table([b""], [b""], problem)
        texts = [text.decode("utf-8", "surrogatepass") for text in batch["text"].to_pylist()]
        # One text a call, so that the worker uses one core: the session has a thread for each text.
        vectors = [self._embedder.encode_document([text]) for text in texts]
        return _table(map(wide_digest, texts), [vector.tobytes() for vector in vectors], None)


def _check_reachable(address: str | None) -> None:
    """Fail at once where Ray would try for minutes, and then end the process."""
    host, colon, port = (address or "").rpartition(":")
    if colon:
        socket.create_connection((host, int(port)), timeout=10).close()


def _batches(texts: Iterable[str]) -> Iterator[pa.Table]:
    """Yield texts in batches, as bytes: Arrow's strings cannot hold lone surrogates."""
    encoded = (text.encode("utf-8", "surrogatepass") for text in texts)
    while batch := list(islice(encoded, BATCH_TEXTS)):
        yield pa.table({"text": pa.array(batch, pa.binary())})


def _table(digests: Iterable[bytes], vectors: list[bytes], problem: str | None) -> pa.Table:
    columns = {
        "digest": pa.array(list(digests), pa.binary()),
        "vector": pa.array(vectors, pa.binary()),
        "problem": pa.array([problem] * len(vectors), pa.string()),
    }
    return pa.table(columns)


def _vectors(table: pa.Table) -> tuple[list[bytes], NDArray[np.float32]]:
    for problem in table["problem"].unique().to_pylist():
        if problem:
            raise ClusterError(f"{problem}. {_MODEL_ADVICE}")
    digests = table["digest"].to_pylist()
    vectors = np.frombuffer(b"".join(table["vector"].to_pylist()), np.float32)
    return digests, vectors.reshape(len(digests), -1)
