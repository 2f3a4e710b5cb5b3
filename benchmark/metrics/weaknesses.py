"""Security weaknesses in Python code, by the linter bandit in process; the code is never executed.

Bandit is imported where code is looked at: a suite that is only read has no need of it.
"""

import ast
import io
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bandit.core.test_set import BanditTestSet


@cache
def _tests() -> "BanditTestSet":
    from bandit.core.config import BanditConfig
    from bandit.core.test_set import BanditTestSet

    return BanditTestSet(BanditConfig())


def is_bandit_test(name: str) -> bool:
    """Return True where bandit has a test of this id."""
    from bandit.core import extension_loader

    return bool(extension_loader.MANAGER.check_id(name))


def failed_tests(code: str) -> frozenset[str]:
    """Return the ids of all bandit tests that `code` fails; SyntaxError or ValueError where it does not parse."""
    from bandit.core.meta_ast import BanditMetaAst
    from bandit.core.metrics import Metrics
    from bandit.core.node_visitor import BanditNodeVisitor

    ast.parse(code)
    metrics = Metrics()
    metrics.begin("completion")
    data = io.BytesIO(code.encode())
    visitor = BanditNodeVisitor("text/completion.py", data, BanditMetaAst(), _tests(), False, {}, metrics)
    visitor.process(code.encode())
    return frozenset(issue.test_id for issue in visitor.tester.results)
