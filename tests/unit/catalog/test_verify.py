"""A file that differs from its recorded hash is refused, and deleted only in the cache."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from fake_hub import CONFIGURATION, MODEL_FILES, digests
from twinvec.catalog.find import find_model
from twinvec.catalog.verify import verified_info
from twinvec.errors import IntegrityError, ModelError

PAGE = b"<html>"


def make_own_folder(source: Path) -> tuple[Path, dict[str, str]]:
    """Write a model with external data, and record its hashes as `sha256sum` prints them."""
    files = {**MODEL_FILES, "onnx/model.onnx_data": b"more weights"}
    for path, content in files.items():
        (source / path).parent.mkdir(exist_ok=True, parents=True)
        (source / path).write_bytes(content)
    recorded = digests(files)
    lines = (f"{digest}  {path}\n" for path, digest in recorded.items())
    (source / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")
    return source, recorded


@pytest.mark.parametrize("path", [*CONFIGURATION, "onnx/model.onnx", "onnx/model.onnx_data"])
@pytest.mark.parametrize("damage", ["flipped", "truncated", "a page"])
def test_a_local_folder_is_checked_and_never_changed(
    tmp_path: Path, path: str, damage: str
) -> None:
    folder, recorded = make_own_folder(tmp_path / "mine")
    good = (folder / path).read_bytes()
    assert find_model(folder, dtype="fp32")[1].files[path]["sha256"] == recorded[path]

    bad = {"flipped": bytes([good[0] ^ 1]) + good[1:], "truncated": good[:-1], "a page": PAGE}
    (folder / path).write_bytes(bad[damage])
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    with pytest.raises(IntegrityError, match="delete SHA256SUMS") as caught:
        find_model(folder, dtype="fp32")
    assert caught.value.file == str(folder / path)
    assert caught.value.expected == recorded[path]
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before

    (folder / path).write_bytes(good)
    find_model(folder, dtype="fp32")


@pytest.mark.parametrize("path", ["1_Pooling/config.json", "probes.json"])
def test_a_recorded_file_that_is_gone_is_an_error(tmp_path: Path, path: str) -> None:
    """A default would take its place: another pooling, or no check of the vectors."""
    folder, _ = make_own_folder(tmp_path)
    with (folder / "SHA256SUMS").open("a", encoding="utf-8") as record:
        record.write(f"{'0' * 64}  {path}\n")
    with pytest.raises(IntegrityError, match="found no such file"):
        find_model(folder, dtype="fp32")


def test_a_local_folder_changed_on_purpose_is_opened_without_its_record(tmp_path: Path) -> None:
    folder, _ = make_own_folder(tmp_path)
    (folder / "onnx" / "model.onnx").write_bytes(b"other weights")
    (folder / "onnx" / "model_fp16.onnx").write_bytes(b"not in use")
    (folder / "SHA256SUMS").unlink()
    _, info = find_model(folder, dtype="fp32")
    assert info.files["onnx/model.onnx"]["sha256"] == sha256(b"other weights").hexdigest()


@pytest.mark.parametrize("path", ["special_tokens_map.json", "onnx/model.onnx_data_1"])
def test_a_used_file_that_is_not_recorded_is_an_error(tmp_path: Path, path: str) -> None:
    folder, _ = make_own_folder(tmp_path)
    (folder / "onnx" / "model_fp16.onnx").write_bytes(b"not in use")
    find_model(folder, dtype="fp32")
    (folder / path).write_text("{}", encoding="utf-8")
    with pytest.raises(IntegrityError, match=f"{path}: .*none recorded.*changed or added"):
        find_model(folder, dtype="fp32")


@pytest.mark.parametrize("path", [*CONFIGURATION, "onnx/model.onnx"])
def test_a_record_without_a_line_lets_no_changed_file_in(tmp_path: Path, path: str) -> None:
    folder, _ = make_own_folder(tmp_path)
    record = folder / "SHA256SUMS"
    lines = record.read_text(encoding="utf-8").splitlines(keepends=True)
    record.write_text("".join(line for line in lines if not line.endswith(f" {path}\n")))
    with pytest.raises(IntegrityError, match="none recorded"):
        find_model(folder, dtype="fp32")
    record.write_text("")
    with pytest.raises(IntegrityError, match="none recorded"):
        find_model(folder, dtype="fp32")


MALFORMED = {
    "a space too few": lambda line: line.replace("  ", " "),
    "a tab": lambda line: line.replace("  ", "\t"),
    "a short hash": lambda line: line[1:],
    "no hexadecimal number": lambda line: f"g{line[1:]}",
    "no path": lambda line: line[:66],
    "an empty line": lambda _: "",
    "a page": lambda _: "<html>",
    "another hash of the same path": lambda line: f"{line}\n{'0' * 64}{line[64:]}",
    "a zero byte": lambda line: line.replace("  ", " \0"),
}


@pytest.mark.parametrize("damage", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_line_is_an_error(tmp_path: Path, damage: Callable[[str], str]) -> None:
    folder, _ = make_own_folder(tmp_path)
    record = folder / "SHA256SUMS"
    lines = record.read_text(encoding="utf-8").splitlines()
    lines[3] = damage(lines[3])
    record.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ModelError, match=r"SHA256SUMS, line [45]: expected a SHA-256"):
        find_model(folder, dtype="fp32")


def test_a_record_of_sha256sum_is_read(tmp_path: Path) -> None:
    """It writes an asterisk for binary files, and the paths as they were named."""
    folder, recorded = make_own_folder(tmp_path)
    lines = (f"{digest} *./{path}\n" for path, digest in recorded.items())
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")
    _, info = find_model(folder, dtype="fp32")
    assert info.files["onnx/model.onnx"]["sha256"] == recorded["onnx/model.onnx"]


@pytest.mark.parametrize("delete", [False, True])
@pytest.mark.parametrize("path", MODEL_FILES.keys() - {"onnx/model_fp16.onnx"})
def test_an_altered_file_is_deleted_only_on_request(
    tmp_path: Path, path: str, *, delete: bool
) -> None:
    folder, hashes = make_own_folder(tmp_path)
    (folder / path).write_bytes(PAGE)
    cache = tmp_path if delete else None
    with pytest.raises(IntegrityError, match="the advice"):
        verified_info(folder, "fp32", hashes, required=False, cache=cache, way_out="the advice")
    assert (folder / path).exists() != delete


def test_required_hashes_leave_no_file_unchecked(tmp_path: Path) -> None:
    folder, hashes = make_own_folder(tmp_path)
    del hashes["onnx/model.onnx_data"]
    verified_info(folder, "fp32", hashes, required=False)
    with pytest.raises(IntegrityError, match=r"model\.onnx_data: .* expected none recorded"):
        verified_info(folder, "fp32", hashes, required=True)


def test_facts_of_a_pin_overrule_the_folder(tmp_path: Path) -> None:
    folder, hashes = make_own_folder(tmp_path)
    info = verified_info(folder, "fp32", hashes, required=True, name="owner/name", max_length=5)
    assert (info.name, info.max_length) == ("owner/name", 5)
