"""Published harmful and harmless prompts by set: where they are, which columns they have, and which rows count.

- `arditi`: the splits of Arditi et al. (2024), `andyrdt/refusal_direction` on GitHub, Apache-2.0; the sets that they
  are made of keep their own licences. Columns `instruction` and `category`.
- `jailbreakbench`: `JailbreakBench/JBB-Behaviors` (Chao et al., 2024), MIT: 100 of each kind. Columns `Goal` and
  `Category`. The 100 harmful ones are among Arditi's files, too, and a mirror may have those instead.
- `xstest`: `paul-rottger/exaggerated-safety` on GitHub (Röttger et al., 2024), CC-BY-4.0. Columns `prompt`, `label`
  (safe or unsafe) and `type`.
- `wildguardmix`: `allenai/wildguardmix` (Han et al., 2024), ODC-BY, gated. Columns `prompt`, `prompt_harm_label`
  (harmful or unharmful), `subcategory`, `response` and `response_refusal_label` (refusal, compliance or nothing).

Of the sets on the Hub the revision of JailbreakBench is pinned; that of WildGuardMix was not seen.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from graftbench.benchmark.data.rows import PublishedTable, missing_table, rows_of

PromptSet = Literal["arditi", "jailbreakbench", "xstest", "wildguardmix"]
Kind = Literal["harmful", "harmless"]

SOURCES: Mapping[PromptSet, str] = {
    "arditi": "andyrdt/refusal_direction",
    "jailbreakbench": "JailbreakBench/JBB-Behaviors",
    "xstest": "paul-rottger/exaggerated-safety",
    "wildguardmix": "allenai/wildguardmix",
}
LICENCES: Mapping[PromptSet, str] = {
    "arditi": "Apache-2.0, and those of the sets in it",
    "jailbreakbench": "MIT",
    "xstest": "CC-BY-4.0",
    "wildguardmix": "ODC-BY",
}
_GITHUB = "https://raw.githubusercontent.com/"


class PublishedPrompt(NamedTuple):
    """A prompt with its place, its category and its published reply; either is empty where there is none."""

    where: str
    text: str
    category: str
    reply: str = ""


@dataclass(frozen=True)
class Prompts:
    """The prompts of a table: the columns of prompts and categories, and the labels of the rows that count."""

    table: PublishedTable
    prompt: str
    category: str
    labels: Mapping[str, str] = field(default_factory=dict)
    reply: str = ""  # a column, where there are replies

    def __iter__(self) -> Iterator[PublishedPrompt]:
        for i, row in enumerate(rows_of(self.table), start=1):
            if all(row[column] == label for column, label in self.labels.items()):
                where = f"{self.table.name} {self.table.split} row {i}"
                yield PublishedPrompt(where, row[self.prompt], row[self.category] or "", row.get(self.reply) or "")

    def at(self, revision: str | None) -> "Prompts":
        """Return the same prompts at a revision."""
        return replace(self, table=replace(self.table, revision=revision))


def arditi(kind: Kind, part: Literal["train", "val", "test"]) -> Prompts:
    """Return one of Arditi's splits."""
    return _arditi(f"splits/{kind}_{part}.json", f"{kind} {part}")


def asked_prompts(name: PromptSet, kind: Kind) -> Prompts:
    """Return the prompts of a set that are there to be asked."""
    if name == "arditi":
        return arditi(kind, "test")
    if name == "jailbreakbench":
        return _jailbreakbench(kind)
    return _xstest(kind) if name == "xstest" else wildguardmix(kind, "test")


def wildguardmix(kind: Kind, split: Literal["train", "test"]) -> Prompts:
    """Return prompts of WildGuardMix; those to fit on have replies, which answer the harmless ones."""
    columns = ("prompt", "prompt_harm_label", "subcategory", "response", "response_refusal_label")
    files = (f"wildguard_{split}.parquet",)
    table = PublishedTable(SOURCES["wildguardmix"], columns, split, f"wildguard{split}", patterns=files)
    labels = {"prompt_harm_label": "harmful" if kind == "harmful" else "unharmful"}
    if split == "test":
        return Prompts(table, "prompt", "subcategory", labels)
    answered = {"response_refusal_label": "compliance"} if kind == "harmless" else {}
    return Prompts(table, "prompt", "subcategory", labels | answered, "response")


def _jailbreakbench(kind: Kind) -> Prompts:
    split = "harmful" if kind == "harmful" else "benign"
    files = (f"{split}-behaviors.csv",)
    table = PublishedTable(SOURCES["jailbreakbench"], ("Goal", "Category"), split, "behaviors", patterns=files)
    copy = _arditi("processed/jailbreakbench.json", "jailbreakbench")
    if kind == "harmful" and missing_table(table) is not None and missing_table(copy.table) is None:
        return copy
    return Prompts(table, "Goal", "Category")


def _xstest(kind: Kind) -> Prompts:
    file = "xstest_prompts.csv"
    address = f"{_GITHUB}{SOURCES['xstest']}/{{revision}}/{file}"
    table = PublishedTable(SOURCES["xstest"], ("prompt", "label", "type"), url=address, patterns=(file,))
    return Prompts(table, "prompt", "type", {"label": "unsafe" if kind == "harmful" else "safe"})


def _arditi(path: str, split: str) -> Prompts:
    address = f"{_GITHUB}{SOURCES['arditi']}/{{revision}}/dataset/{path}"
    table = PublishedTable(SOURCES["arditi"], ("instruction", "category"), split, url=address, patterns=(path,))
    return Prompts(table, "instruction", "category")
