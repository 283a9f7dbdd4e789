"""Embedding on a Ray cluster: texts go out in blocks, their vectors come back in any order.

Ray Data keeps a pool of actors, each with an `Embedder` of its own, and gives what a worker that
died had in hand to another one. Neither order nor repetition matters: a vector is known by the
digest of its text (see `journal`), and the index is written from those afterwards, by the same
code as without Ray. Runs are of one text each, so a vector does not depend on its block.

Files are read and cut where the command runs: that takes a small part of the time, and so the
workers need to see no files but the model's.
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

__all__ = ["RayEngine"]

_BLOCK = 256
"""Passages: some seconds of one core's work, which are lost with a worker."""

_MODEL = (
    "Every machine of the cluster must be able to open the model: give its name on the Hugging "
    "Face Hub, or a folder that all of them see under the same path."
)
_TWINVEC = (
    "What was embedded is kept; run the same command to go on. Every machine of the cluster needs "
    "the same Python, twinvec and Ray: pip install 'twinvec[ray]'"
)


class RayEngine:
    """Embeds documents on a Ray cluster: a function for `write_index`.

    A context manager: inside, the cluster is joined, or a local one runs.

    Args:
        open_embedder: called once by every worker, where that runs.
        fingerprint: what the workers' embedders must have.
        address: of a cluster, `host:port` of its head or `auto` on one of its machines; None for
            one on this machine that ends with the block.
        workers: actors, each with one core; None for as many as the cluster has cores.
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
        self._stdout = redirect_stdout(sys.stderr)  # where Ray tells of workers that died

    def __enter__(self) -> Self:
        """Join the cluster.

        Raises:
            NoClusterError: it cannot be reached, or a local one does not start.
        """
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would report to its makers
        options: dict[str, Any] = {"address": self._address}
        if self._address is None:
            options = {"address": "local", "num_cpus": self._workers, "include_dashboard": False}
        try:
            _check_reachable(self._address)
            ray.init(**options, logging_level="error", log_to_driver=False)
        except Exception as err:  # Ray raises much, RuntimeError and ConnectionError among it
            place = self._address or "this machine"
            raise NoClusterError(
                f"no Ray cluster at {place}: {err}. Start one with `ray start --head`, and name "
                "its address. If it asks for a token, set RAY_AUTH_MODE=token"
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
        """Embed documents.

        The texts are put into Ray's object store first, which moves to the disk what exceeds its
        memory; vectors are given as they come.

        Yields:
            digests of some of the texts, as `wide_digest` makes them, and their vectors, float32
            [digests, dim].

        Raises:
            ClusterError: a worker cannot open the model, or fails otherwise; one that dies is
                replaced.
        """
        ray.data.DataContext.get_current().enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        blocks = [ray.put(block) for block in _blocks(texts)]
        workers = self._workers or int(ray.cluster_resources().get("CPU", 1))
        made = ray.data.from_arrow_refs(blocks).map_batches(
            _Worker,
            fn_constructor_args=self._worker,
            batch_size=None,  # a block as it is
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(size=min(workers, len(blocks))),
            num_cpus=1,
        )
        try:
            for block in made.iter_batches(batch_size=None, batch_format="pyarrow"):
                yield _vectors(block)
        except RayError as err:
            raise ClusterError(f"a worker failed: {err}. {_TWINVEC}") from err


class _Worker:
    """What an actor does: opens the model once, and embeds blocks.

    That it cannot open the model is told in the place of vectors, since an exception would come
    back as pages of Ray's own calls.
    """

    def __init__(self, open_embedder: Callable[[], Embedder], fingerprint: dict[str, Any]) -> None:
        self._problem: str | None = None
        try:
            self._embedder = open_embedder()
        except (TwinvecError, OSError, ValueError) as err:
            self._problem = f"{type(err).__name__}: {err}"
            return
        found = self._embedder.fingerprint
        differing = [key for key, value in fingerprint.items() if found.get(key) != value]
        if differing:
            self._problem = f"it opened a model of other {', '.join(differing)}"

    def __call__(self, block: pa.Table) -> pa.Table:
        if self._problem:
            host = socket.gethostname()
            return _table([b""], [b""], f"the worker on {host} has not the model: {self._problem}")
        texts = [text.decode("utf-8", "surrogatepass") for text in block["text"].to_pylist()]
        # One at a time, so that a worker keeps to its one core: the session has a thread for each.
        vectors = [self._embedder.encode_document([text]) for text in texts]
        return _table(map(wide_digest, texts), [vector.tobytes() for vector in vectors], None)


def _check_reachable(address: str | None) -> None:
    """Spare the minutes that Ray tries for; it ends the process afterwards."""
    host, colon, port = (address or "").rpartition(":")
    if colon:
        socket.create_connection((host, int(port)), timeout=10).close()


def _blocks(texts: Iterable[str]) -> Iterator[pa.Table]:
    """Put texts into blocks, as bytes: Arrow's strings cannot hold lone surrogates."""
    left = iter(texts)
    while some := [text.encode("utf-8", "surrogatepass") for text in islice(left, _BLOCK)]:
        yield pa.table({"text": pa.array(some, pa.binary())})


def _table(digests: Iterable[bytes], vectors: list[bytes], problem: str | None) -> pa.Table:
    columns = {
        "digest": pa.array(list(digests), pa.binary()),
        "vector": pa.array(vectors, pa.binary()),
        "problem": pa.array([problem] * len(vectors), pa.string()),
    }
    return pa.table(columns)


def _vectors(block: pa.Table) -> tuple[list[bytes], NDArray[np.float32]]:
    for problem in block["problem"].unique().to_pylist():
        if problem:
            raise ClusterError(f"{problem}. {_MODEL}")
    digests = block["digest"].to_pylist()
    vectors = np.frombuffer(b"".join(block["vector"].to_pylist()), np.float32)
    return digests, vectors.reshape(len(digests), -1)
