"""Options of mappers, as texts of a command line or as values."""

from collections.abc import Mapping, Sequence

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.escaping import MAX_REASON, in_one_line
from graftbench.benchmark.core.plugins import nearest
from graftbench.benchmark.mappers.source_tree import Option, OptionType

Value = str | int | float | bool
MAX_NUMBER = 2.0**63  # entries hold no larger one
_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")


def parse_options(
    source: str, given: Sequence[str] | Mapping[str, Value], known: Mapping[str, Option] | None
) -> dict[str, Value]:
    """Return the options that were given, sorted by name and typed as the mapper declares them.

    `known` is None where the constructor comes from elsewhere: then a value gets the first type that it reads as.
    UserError where an option is unknown, is of another type, spans lines, or is needed and missing.
    """
    texts = (
        dict(map(_name_and_text, given)) if not isinstance(given, Mapping) else {k: str(v) for k, v in given.items()}
    )
    values: dict[str, Value] = {}
    for name, text in sorted(texts.items()):
        if known is not None and name not in known:
            raise UserError(f"{source} has no option {name!r}.{nearest(name, sorted(known))}")
        if in_one_line(text) != text:
            raise UserError(f"The option {name} of {source} is no single line of up to {MAX_REASON} characters.")
        if known is not None:
            values[name] = _value(source, name, text, known[name].kind)
        else:
            values[name] = given[name] if isinstance(given, Mapping) else _guess(text)
        value = values[name]
        if isinstance(value, int | float) and not abs(value) < MAX_NUMBER:
            raise UserError(f"The option {name} of {source} is no finite number below 2^63: {text[:40]}.")
    missing = [name for name, option in (known or {}).items() if option.required and name not in values]
    if missing:
        raise UserError(f"{source} needs the option {missing[0]}: --option {missing[0]}=...")
    return values


def _name_and_text(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UserError(f"The option {text!r} is not of the form name=value.")
    return name, value


def _value(source: str, name: str, text: str, kind: OptionType) -> Value:
    if kind is bool:
        if text.lower() not in _TRUE + _FALSE:
            raise UserError(f"The option {name} of {source} is true or false, not {text!r}.")
        return text.lower() in _TRUE
    try:
        return kind(text)
    except ValueError as error:
        raise UserError(f"The option {name} of {source} is of type {kind.__name__}; {text!r} is not.") from error


def _guess(text: str) -> Value:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
