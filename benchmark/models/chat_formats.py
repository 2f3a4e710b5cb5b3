"""Chat formats by name: a model's own, Alpaca, plain text, or a Jinja file."""

from pathlib import Path

from graftbench.benchmark.core.files import is_file
from graftbench.benchmark.core.plugins import nearest

OWN = "own"  # the chat template of the model's tokenizer
_ALPACA = "alpaca"  # that of Stanford Alpaca without its preamble, as in Oozeer et al. (2025, appendix D.6)
_PLAIN = "plain"  # the words alone, as base models read them; a blank line stands after each turn
_SHIPPED = (_ALPACA, _PLAIN)
_PRINTS = "{{"  # every template prints the messages, and no name of a file holds this


def read_format(chat: str, folder: Path | None) -> str:
    """Return `own`, `alpaca`, `plain` or the text of a Jinja template, as `load` takes it.

    A file is looked for in `folder`; with None there are no files. ValueError where there is no such format, or the
    file is no template.
    """
    if chat in (OWN, *_SHIPPED) or _PRINTS in chat:
        return chat
    file = None if folder is None else folder / chat
    if file is None or not is_file(file):
        raise ValueError(
            f"there is no chat format {chat!r}, nor a file of that name.{nearest(chat, [OWN, *_SHIPPED])} A Jinja file "
            "does as well"
        )
    return _template_in(file)


def _template_in(file: Path) -> str:
    from jinja2 import TemplateSyntaxError
    from transformers.utils.chat_template_utils import _compile_jinja_template  # knows the tags of chat templates

    try:
        text = file.read_text(encoding="utf-8")
        _compile_jinja_template(text)
    except (OSError, UnicodeDecodeError, TemplateSyntaxError) as error:
        raise ValueError(f"{file} is no Jinja template that can be read: {str(error).splitlines()[0]}") from error
    if _PRINTS not in text:
        raise ValueError(f"{file} prints no messages: a chat template has {_PRINTS} message['content'] }}}} for each")
    return text


def template_of(chat: str) -> str | None:
    """Return the template of a chat format that `read_format` returned; None for the model's own."""
    if chat == OWN:
        return None
    return Path(__file__).with_name(f"{chat}.jinja").read_text(encoding="utf-8") if chat in _SHIPPED else chat
