import pytest
from pydantic import BaseModel, ValidationError, field_validator

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import first_error, read_json_lines, read_yaml


class Row(BaseModel):
    name: str
    sizes: list[int] = []

    @field_validator("name")
    @classmethod
    def _short(cls, name):
        if len(name) > 3:
            raise ValueError("a name has three letters")
        return name


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"name": "abcd"}, "name: a name has three letters"),
        ({"name": "a", "sizes": [1, "x"]}, "sizes.1: Input should be a valid integer"),
        ({}, "name: Field required"),
        ([], "Input should be a valid dictionary"),
    ],
)
def test_the_first_error_says_where_it_is_and_why(value, message):
    with pytest.raises(ValidationError) as error:
        Row.model_validate(value)
    assert str(first_error(error.value)).startswith(message)


def test_json_lines_are_parsed_and_empty_ones_skipped(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"name": "a\u2028b"}\n\n{"name": "c"}\n')
    assert [row.name for row in read_json_lines(tmp_path / "rows.jsonl", Row, "file", "row")] == ["a\u2028b", "c"]


def test_a_line_of_another_form_is_named_by_its_number(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"name": "a"}\n\n{"name": 3}\n')
    with pytest.raises(UserError, match=r"Line 3 of .*rows\.jsonl is no row: name: Input should be a valid string\.$"):
        read_json_lines(tmp_path / "rows.jsonl", Row, "file", "row")
    with pytest.raises(UserError, match=r"The file of rows .*none\.jsonl cannot be read"):
        read_json_lines(tmp_path / "none.jsonl", Row, "file of rows", "row")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: [", "is no YAML: "),
        ("name: abcd", "cannot be used: name: a name has three letters."),
        ("- 1", "used: In"),
    ],
)
def test_yaml_of_another_form_is_one_sentence(tmp_path, text, message):
    (tmp_path / "row.yaml").write_text(text)
    with pytest.raises(UserError) as error:
        read_yaml(tmp_path / "row.yaml", Row, "row")
    assert message in str(error.value)


def test_yaml_is_returned_with_its_bytes(tmp_path):
    (tmp_path / "row.yaml").write_text("name: abc")
    assert read_yaml(tmp_path / "row.yaml", Row, "row") == (Row(name="abc"), b"name: abc")
