"""Documents of MMLU and SQuAD, from a local mirror in any of their published forms, or from the Hub.

A mirror is a folder with the files anywhere in it: MMLU's tables, one per subject (`anatomy_test.csv`, with a header
or, as first published, without), SQuAD's JSON, or the Parquet files of the Hub.
"""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.rows import Document, hub_rows, mirror, not_in_mirror, parquet_rows


def mmlu(subject: str) -> dict[str, Sequence[Document]]:
    """Return the `test` and `dev` documents of a subject: question, choices, and the number of the right one."""
    return {split: _mmlu(subject, split) for split in ("test", "dev")}


def squad() -> list[Document]:
    """Return SQuAD's validation documents: title, context, question, and the right answers.

    UserError where the mirror has no SQuAD file, or several.
    """
    folder = mirror()
    if folder is None:
        return [_hub_squad(row) for row in hub_rows("rajpurkar/squad", "plain_text", "validation")]
    published = sorted(path for path in folder.rglob("*.json") if "quad" in str(path.relative_to(folder)).lower())
    if len(published) > 1:
        named = ", ".join(str(path.relative_to(folder)) for path in published)
        raise UserError(f"{folder} holds several files that may be SQuAD: {named}. Keep the one that is meant.")
    for path in published:
        try:
            questions = _questions(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} is no SQuAD file as published: {error}.") from error
        return [_squad(article, paragraph, asked) for article, paragraph, asked in questions]
    tables = sorted(folder.rglob("*squad*/**/validation-*.parquet"))
    if tables:
        return [_hub_squad(row) for row in parquet_rows(tables)]
    raise not_in_mirror(folder, "SQuAD", "a JSON file as published, or squad/plain_text/validation-*.parquet")


def missing_documents(task: str) -> str | None:
    """Return what has to be done before MMLU or SQuAD, the `task`, can be read from the mirror; None where it can."""
    try:
        _ = squad() if task == "squad" else mmlu(_A_SUBJECT)
    except UserError as error:
        return str(error)
    return None


def _mmlu(subject: str, split: str) -> list[Document]:
    folder = mirror()
    if folder is None:
        return [_hub_mmlu(row) for row in hub_rows("cais/mmlu", subject, split)]
    for path in sorted(folder.rglob(f"{subject}_{split}.csv")):
        with path.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.reader(lines))
        return [_table_mmlu(row, path) for row in rows if row != ["question", *_CHOICES, "answer"]]
    tables = sorted(folder.rglob(f"{subject}/{split}-*.parquet"))
    if tables:
        return [_hub_mmlu(row) for row in parquet_rows(tables)]
    raise not_in_mirror(folder, f"MMLU's {subject}", f"{subject}_{split}.csv or {subject}/{split}-*.parquet")


_A_SUBJECT = "anatomy"
_CHOICES = [f"choice{i}" for i in range(4)]


def _table_mmlu(row: Sequence[str], path: Path) -> Document:
    if len(row) != 6 or row[5] not in {*"ABCD", *"0123"}:
        raise UserError(
            f"{path} is no table of MMLU: a row holds a question, four choices and the answer, not {row!r}."
        )
    answer = "ABCD".index(row[5]) if row[5] in "ABCD" else int(row[5])
    return {"question": row[0], "choices": list(row[1:5]), "answer": answer}


def _hub_mmlu(row: Document) -> Document:
    return {name: row[name] for name in ("question", "choices", "answer")}


def _questions(published: Document) -> list[tuple[Document, Document, Document]]:
    return [
        (article, paragraph, asked)
        for article in published["data"]
        for paragraph in article["paragraphs"]
        for asked in paragraph["qas"]
    ]


def _squad(article: Document, paragraph: Document, asked: Document) -> Document:
    answers = list(dict.fromkeys(answer["text"] for answer in asked["answers"]))
    about = {"title": article.get("title", ""), "context": paragraph["context"]}
    return {**about, "question": asked["question"], "answers": answers}


def _hub_squad(row: Document) -> Document:
    answers = list(dict.fromkeys(row["answers"]["text"]))
    return {**{name: row[name] for name in ("title", "context", "question")}, "answers": answers}
