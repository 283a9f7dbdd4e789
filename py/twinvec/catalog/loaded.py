"""Models that the page has loaded, in Pyodide only."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from twinvec.errors import ModelNotFoundError
from twinvec.model.dtypes import dtype_facts
from twinvec.model.info import ModelInfo
from twinvec.runtime.pyodide import PyodideSession, PyodideTokenizer, page_host

if TYPE_CHECKING:
    from pathlib import Path


def loaded_model(
    model: str | Path | None, dtype: str
) -> tuple[ModelInfo, PyodideTokenizer, PyodideSession]:
    """Open a model that the page has loaded; None for the first one.

    Raises:
        ModelNotFoundError: the model is not loaded in this dtype.
        TwinvecError: this Pyodide does not run in a page of twinvec.
        ValueError: the dtype is unknown.
    """
    dtype_facts(dtype)
    loaded = {
        (info.name, js_model.dtype): (info, js_model)
        for js_model in page_host().models
        for info in [ModelInfo.from_json(json.loads(js_model.info))]
    }
    name = str(model) if model is not None else next((name for name, _ in loaded), "any model")
    if (name, dtype) not in loaded:
        present = ", ".join(f"{name} ({dtype})" for name, dtype in loaded) or "no model"
        raise ModelNotFoundError(
            f"{name} ({dtype}) is not loaded in this page, which has {present}. "
            'Load it from JavaScript first: pipeline("feature-extraction", name, { dtype })'
        )
    info, js_model = loaded[name, dtype]
    return info, PyodideTokenizer(js_model), PyodideSession(js_model)
