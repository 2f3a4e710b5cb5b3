"""Any file is refused in one sentence, or is a vector of finite numbers that are not all zero."""

import json
import struct

import pytest
import torch
from hypothesis import strategies as st

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.interventions.vector_files import About, SteeringVector, load_vector, save_vector
from tests.fuzzing import A_HUNDRED_OR_MANY, HARD_TEXTS, VALUES, changes_of, for_any, lacking, one_sentence

HEADER = {
    "__metadata__": {"kind": "add", "site": "2", "positions": "last", "strength": "1.5"},
    "vector": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]},
}
DTYPES = ["F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F4", "C64", "I64", "U8", "BOOL", "NO"]
WIDTH = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "C64": 8, "I64": 8}
SITES = st.sampled_from(
    ["0", "-1", "x", "1e999", "٣", "9" * 5000, "", " 2", "2_0", "nan", "prompt", "all", "-0", "0x2"]
)


def written(path, header, data):
    raw = header if isinstance(header, bytes) else json.dumps(header).encode("utf-8", "surrogatepass")
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + data)
    return path


def read_or_refused(path):
    """The vector in a file, None where it is refused in one sentence."""
    try:
        vector = load_vector(path)
    except UserError as error:
        one_sentence(error)
        return None
    assert vector.vector.dtype == torch.float32
    assert vector.vector.isfinite().all()
    assert vector.vector.any()
    assert vector.vector.ndim == 1 or vector.about.positions == "prompt"
    assert vector.about.kind == "ablate" or (vector.about.site >= 0 and vector.about.positions is not None)
    return vector


def of_dtype(dtype, numbers):
    """A header and data of numbers of a dtype; bytes that are not of it for dtypes that Python cannot write."""
    data = struct.pack(f"<{len(numbers)}d", *numbers) if dtype == "F64" else bytes(WIDTH.get(dtype, 1) * len(numbers))
    about = {"dtype": dtype, "shape": [len(numbers)], "data_offsets": [0, len(data)]}
    return HEADER | {"vector": about}, data


@A_HUNDRED_OR_MANY
def test_a_file_with_one_thing_changed_is_refused_or_a_vector(n, tmp_path):
    places = [("__metadata__", name) for name in HEADER["__metadata__"]]
    words = st.sampled_from(places).flatmap(
        lambda place: SITES.map(lambda word: HEADER | {"__metadata__": HEADER["__metadata__"] | {place[1]: word}})
    )
    data = st.binary(min_size=16, max_size=16) | st.just(struct.pack("<4f", 1, 2, 3, 4)) | st.binary(max_size=40)

    @for_any(n, header=changes_of(HEADER) | lacking(HEADER) | words, data=data)
    def check(header, data):
        vector = read_or_refused(written(tmp_path / "v.safetensors", header, data))
        if vector is not None:
            save_vector(vector, tmp_path / "again.safetensors")
            assert load_vector(tmp_path / "again.safetensors").identity == vector.identity


@A_HUNDRED_OR_MANY
def test_whatever_is_no_such_file_is_refused(n, tmp_path):
    @for_any(n, header=VALUES | st.binary(max_size=40), data=st.binary(max_size=20))
    def check(header, data):
        assert read_or_refused(written(tmp_path / "v.safetensors", header, data)) is None


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_tensor_of_any_type_of_numbers_is_read_or_refused(tmp_path, dtype):
    for numbers in ([0.0, 0.0], [1.0, 2.0], [1e300, 1.0], [float("nan"), 1.0]):
        vector = read_or_refused(written(tmp_path / "v.safetensors", *of_dtype(dtype, numbers)))
        assert (vector is not None) == (dtype == "F64" and numbers == [1.0, 2.0])


@pytest.mark.parametrize("text", HARD_TEXTS)
def test_a_header_that_is_hard_to_read_is_refused(tmp_path, text):
    assert read_or_refused(written(tmp_path / "v.safetensors", text.encode(), b"")) is None


def test_a_folder_or_nothing_is_no_vector(tmp_path):
    for path in (tmp_path, tmp_path / "nothing", tmp_path / ("x" * 300), "/dev/null"):
        assert read_or_refused(path) is None


def test_the_file_that_is_changed_is_a_vector(tmp_path):
    vector = read_or_refused(written(tmp_path / "v.safetensors", HEADER, struct.pack("<4f", 1, 2, 3, 4)))
    assert vector.about == About(site=2, positions="last", strength=1.5)
    assert isinstance(vector, SteeringVector)
