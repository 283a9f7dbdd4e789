"""A certificate as an HTML page, with plots of the differences."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { border-bottom: 1px solid #8888; padding: .2rem .7rem; text-align: left; }
svg { height: auto; max-width: 100%; }
.passed { color: light-dark(#116329, #7ee787); }
.failed { color: light-dark(#a40e26, #ff7b72); }
"""

PLOT_WIDTH, ROW_HEIGHT, LABEL_WIDTH = 720, 22, 110
SMALLEST_EXPONENT, LARGEST_EXPONENT = -9, 0
"""The axis of a plot runs from 1e-9, and everything below, to 1."""


def render(certificate: Mapping[str, Any]) -> str:
    """Return a certificate as the text of an HTML page, which needs no other file."""
    passed = not certificate["failures"]
    verdict = "passed" if passed else "failed"
    failures = "".join(f"<li>{escape(failure)}</li>" for failure in certificate["failures"])
    model = escape(f"{certificate['model']} {certificate['revision'] or ''}")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Certificate: {model}</title>
<style>{STYLE}</style>
</head>
<body>
<h1>Same text, same vector: <span class="{verdict}">{verdict}</span></h1>
<p>{model}, {escape(certificate["created"])}. Every browser is compared with CPython, over the same
files.</p>
<ul class="failed">{failures}</ul>
<h2>Dtypes</h2>
{table(dtype_cells(certificate))}
<h2>Largest difference of each text</h2>
<p>A mark is a text: the largest difference between its vectors of CPython and of the browser, in
any dimension of a unit vector. Texts without any difference are at the left end.</p>
{"".join(plot(dtype, certificate) for dtype in certificate["dtypes"])}
<h2>Runs</h2>
{table(run_cells(certificate))}
<h2>Token ids of random strings</h2>
{table(token_cells(certificate))}
<h2>Versions and hashes</h2>
{table(version_cells(certificate))}
</body>
</html>
"""


def table(rows: Iterable[Sequence[object]]) -> str:
    """Render rows, of which the first has the headings."""
    heading, *body = rows
    cells = "".join(f"<th>{escape(str(cell))}</th>" for cell in heading)
    lines = [f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in body]
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def dtype_cells(certificate: Mapping[str, Any]) -> list[list[str]]:
    """List the dtypes."""
    heading = ["dtype", "parity", "allowed", "largest difference", "same bits in all runs"]
    rows = [[*heading, "same top 10", "lowest cosine to fp32", "weights"]]
    for dtype, row in certificate["dtypes"].items():
        cosine = row["cosine_to_fp32"]
        rows.append(
            [
                dtype,
                row["parity"],
                f"{row['bound']:g}",
                number(row["max_delta"], ".1e"),
                "yes" if row["same_bits"] else "no",
                number(row["same_top_10"], ".0%"),
                number(cosine, ".7f"),
                f"{row['bytes'] / 1e6:.1f} MB",
            ]
        )
    return rows


def run_cells(certificate: Mapping[str, Any]) -> list[list[str]]:
    """List the runs."""
    heading = ["engine", "dtype", "sessions", "isolated", "JSPI", "texts", "other token ids"]
    rows = [[*heading, "largest difference", "lowest cosine", "score", "seconds", "outcome"]]
    for run in certificate["runs"]:
        conditions = [str(run.get("sessions", "")), yes(run["isolated"]), yes(run["jspi"])]
        rows.append(
            [
                run["engine"],
                run["dtype"],
                *conditions,
                str(run.get("texts", "")),
                str(run.get("token_differences", "")),
                number(run.get("max_delta"), ".1e"),
                number(run.get("min_cosine"), ".7f"),
                number(run.get("max_score_delta"), ".1e"),
                str(run["seconds"]),
                "; ".join(run["failures"]) or "passed",
            ]
        )
    return rows


def token_cells(certificate: Mapping[str, Any]) -> list[list[str]]:
    """List the comparisons of random strings."""
    rows = [["engine", "strings", "outcome"]]
    for fuzzed in certificate["tokens"]:
        outcome = "; ".join(fuzzed["failures"]) or "the same token ids"
        rows.append([fuzzed["engine"], f"{fuzzed['strings']:,}", outcome])
    return rows


def version_cells(certificate: Mapping[str, Any]) -> list[list[str]]:
    """List versions of software, and hashes of the files that were compared."""
    rows = [["part", "version or SHA-256"]]
    rows += [[name, version] for name, version in certificate["native"].items()]
    rows += [[name, browser] for name, browser in certificate["engines"].items()]
    pages = [run["versions"] for run in certificate["runs"] if "versions" in run]
    rows += [[f"{name} in the page", version] for name, version in (pages or [{}])[0].items()]
    rows.append(["tokenizer.json", certificate["tokenizer_sha256"]])
    return rows + [
        [f"weights, {dtype}", row["weights_sha256"]] for dtype, row in certificate["dtypes"].items()
    ]


def plot(dtype: str, certificate: Mapping[str, Any]) -> str:
    """Draw the difference of each text, a row for each engine, on a logarithmic axis."""
    runs: dict[str, list[float]] = {}  # the first run of each engine
    for run in certificate["runs"]:
        if run["dtype"] == dtype and "deltas" in run:
            runs.setdefault(run["engine"], run["deltas"])
    height = ROW_HEIGHT * (len(runs) + 1)
    lines = []
    for exponent in range(SMALLEST_EXPONENT, LARGEST_EXPONENT + 1):
        x = position(10.0**exponent)
        lines.append(f'<path d="M{x:.1f} 0V{height - ROW_HEIGHT}" stroke="#8884"/>')
        lines.append(label(x, height - 6, f"1e{exponent}", "middle"))
    bound = position(certificate["dtypes"][dtype]["bound"])
    lines.append(f'<path d="M{bound:.1f} 0V{height - ROW_HEIGHT}" stroke="#c22"/>')
    for row, (engine, deltas) in enumerate(runs.items()):
        y = ROW_HEIGHT * row + ROW_HEIGHT / 2
        lines.append(label(4, y + 5, engine, "start"))
        marks = "".join(f"M{position(delta):.1f} {y - 7:.1f}v14" for delta in deltas)
        lines.append(f'<path d="{marks}" stroke="#27c" stroke-opacity="0.4"/>')
    return (
        f'<h3>{escape(dtype)}</h3><svg viewBox="0 0 {PLOT_WIDTH} {height}" role="img" '
        f'aria-label="Differences of {escape(dtype)}; the red line is what is allowed">'
        f"{''.join(lines)}</svg>"
    )


def position(delta: float) -> float:
    """Return the place of a difference on the axis of a plot."""
    exponent = math.log10(delta) if delta > 0 else SMALLEST_EXPONENT
    exponent = min(max(exponent, SMALLEST_EXPONENT), LARGEST_EXPONENT)
    share = (exponent - SMALLEST_EXPONENT) / (LARGEST_EXPONENT - SMALLEST_EXPONENT)
    return LABEL_WIDTH + share * (PLOT_WIDTH - LABEL_WIDTH - 20)


def label(x: float, y: float, text: str, anchor: str) -> str:
    """Write a text into a plot."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="12" '
        f'fill="currentColor">{escape(text)}</text>'
    )


def number(value: float | None, form: str) -> str:
    """Format a number, "" for none."""
    return "" if value is None else format(value, form)


def yes(value: object) -> str:
    """Format a truth value."""
    return "yes" if value else "no"
