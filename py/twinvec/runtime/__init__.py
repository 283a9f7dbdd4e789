"""Where the platform is chosen: the only test of `sys.platform` in twinvec."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twinvec.index.stores.base import Progress, Store
    from twinvec.model.info import ModelInfo
    from twinvec.runtime.base import Session, TokenizerCore

__all__ = ["open_model", "open_store"]


def open_model(
    model: str | Path | None,
    *,
    dtype: str,
    revision: str | None,
    local_files_only: bool,
    cache_dir: Path | str | None,
) -> tuple[ModelInfo, TokenizerCore, Session]:
    """Open a model on the runtime of this Python; arguments as in `catalog.find.find_model`."""
    if sys.platform == "emscripten":
        from twinvec.runtime.pyodide import loaded_model

        return loaded_model(model, dtype)
    from twinvec.catalog.find import find_model
    from twinvec.runtime.native import NativeSession, NativeTokenizer

    folder, info = find_model(
        model,
        dtype=dtype,
        revision=revision,
        local_files_only=local_files_only,
        cache_dir=cache_dir,
    )
    core = NativeTokenizer(folder / "tokenizer.json")
    return info, core, NativeSession(folder / info.weights[dtype])


def open_store(location: Path | str, progress: Progress | None) -> Store:
    """Choose how an index's files are read: a folder's, an archive's, or a URL's."""
    from twinvec.index.stores.folder import FolderStore
    from twinvec.index.stores.url import UrlStore
    from twinvec.index.stores.zip import ZipStore, is_archive

    browser = sys.platform == "emscripten"
    urls = ("http://", "https://", *(["stored:"] if browser else []))
    if not str(location).startswith(urls):
        store = ZipStore if is_archive(location) else FolderStore
        return store(Path(location), progress)
    if browser:
        from twinvec.runtime.pyodide import JsStore

        return JsStore(str(location), progress)
    return UrlStore(str(location), progress)
