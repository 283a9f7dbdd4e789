"""The page of a certificate: the folder `certify/` of a site."""

from __future__ import annotations

import shutil
from contextlib import closing
from typing import TYPE_CHECKING

from twinvec.certify.record import open_site_model, record, site_models, write_record
from twinvec.errors import TwinvecError
from twinvec.site.build import WEB

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from twinvec.certify.record import NativeResults
    from twinvec.certify.texts import Sample

FOLDER = "certify"
"""Folder of the page in a site."""


def write_page(
    site: Path, folder: Path, sample: Sample, *, dtypes: Sequence[str] = (), web: Path = WEB
) -> list[NativeResults]:
    """Write the page, an index for each dtype, and the results that CPython computes.

    Args:
        site: folder of the site whose first model is compared.
        folder: folder to write, `site / "certify"` or one that is served in its place.
        sample: texts and queries.
        dtypes: weights to compare; all of the site's by default.
        web: the sources of the browser side.

    Returns:
        The results, one for each dtype.

    Raises:
        TwinvecError: `site` is not a site, or a file of its model was changed; or this is no
            checkout of twinvec.
        ValueError: the site lacks a dtype.
    """
    source = web / FOLDER
    if not source.is_dir():
        raise TwinvecError(f"{source} does not exist; run this in a checkout of twinvec")
    (info, *_) = site_models(site)
    for dtype in dtypes:
        if dtype not in info.weights:
            raise ValueError(f"{site} has no dtype {dtype}; it has {', '.join(info.weights)}")
    shutil.copytree(source, folder, dirs_exist_ok=True)
    results = []
    for dtype in dtypes or info.weights:
        with closing(open_site_model(site, info, dtype)) as embedder:
            results.append(record(embedder, sample, folder / f"index-{dtype}"))
    write_record(folder, sample, results)
    return results
