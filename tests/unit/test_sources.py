"""What Python accepts in a source file and nobody means."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(path for folder in ("nodes", "py", "tests", "tools") for path in (ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_string_is_no_statement(path):
    """The second line of a text without parentheses around both is one, and the text ends too early."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    found = (getattr(node, name, None) for node in nodes for name in ("body", "orelse", "finalbody"))
    lists = [statements for statements in found if isinstance(statements, list)]
    later = [statement for statements in lists for statement in statements[1:] if isinstance(statement, ast.Expr)]
    lost = [s.lineno for s in later if isinstance(s.value, ast.JoinedStr) or isinstance(getattr(s.value, "value", None), str)]
    assert not lost, f"{path.relative_to(ROOT)}, lines {lost}"
