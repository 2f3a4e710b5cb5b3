import json

from graftbench.leaderboard import schema
from graftbench.leaderboard.schema import Entry


def test_the_published_schema_is_the_one_in_force():
    from pathlib import Path

    published = Path(schema.__file__).with_name("entry.schema.json")
    assert json.loads(published.read_text()) == Entry.model_json_schema()


def test_no_field_comes_in_that_the_schema_does_not_know():
    assert Entry.model_json_schema()["additionalProperties"] is False
