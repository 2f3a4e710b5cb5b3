"""A hook of mkdocs: pages made from Markdown files outside docs/, and links between them.

Links in these files are those of the repository, so that they work where the files are read. On the site a link to a
page becomes a link to that page, and a link to any other file becomes plain text; a file that is missing is an error.
"""

import logging
import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "examples/my_behaviour/README.md": "my-behaviour.md",
    "judges/README.md": "judge-files.md",
    "judges/gold/REPORT.md": "gold-set.md",
    "judges/gold/smollm2.md": "gold-smollm2.md",
    "benchmark/zoo/README.md": "zoo-world.md",
    "benchmark/zoo/weights/CARD.md": "zoo-card.md",
}
FILES = {page: file for file, page in PAGES.items()}
CODE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<path>(?!https?:|#)[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")

log = logging.getLogger("mkdocs.hooks.repository_pages")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each Markdown file outside docs/."""
    for file, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / file)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Turn the links of a file in the repository into those of the site."""
    file = FILES.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    code = [block.span() for block in CODE.finditer(markdown)]
    return LINK.sub(lambda link: link[0] if _within(link, code) else _on_site(link, file), markdown)


def _within(link: re.Match[str], spans: list[tuple[int, int]]) -> bool:
    return any(start <= link.start() < end for start, end in spans)


def _on_site(link: re.Match[str], file: str) -> str:
    target = posixpath.normpath(posixpath.join(posixpath.dirname(file), link["path"]))
    if not (ROOT / target).exists():
        log.warning("%s links to %s, which is not there", file, target)
    page = PAGES.get(target) or (target.removeprefix("docs/") if target.startswith("docs/") else None)
    return f"{link['image']}[{link['text']}]({page}{link['anchor'] or ''})" if page else link["text"]
