"""Which of our modules a stage imports, directly or through others, read off the code itself."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
OURS = re.compile(r"stages(\.\w+)+(:\w+)?")


def closure(script: str, task: str) -> set[str]:
    """Files that `stages/SCRIPT.py` can import for a task, by path from the root; its own too.

    Imports inside functions count, as do modules that the code names by a string, such as
    `f"stages.tasks.{settings.task}.task"`: what stands in braces is the task. Imports for types
    alone do not count, and neither do files that hold nothing but a docstring.
    """
    found, left = set[str](), [f"stages/{script}.py"]
    while left:
        path = left.pop()
        if path not in found:
            found.add(path)
            left += imported_by(path, task)
    return found


@cache
def imported_by(path: str, task: str) -> frozenset[str]:
    """Files that one file names, and the packages around them."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    names = [name for node in _nodes(tree) for name in _named(node, task)]
    return frozenset(file for name in names for file in _files(name))


def holds_code(path: Path) -> bool:
    """Whether a module holds more than a docstring."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return any(not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)) for n in body)


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those of docstrings, and of what only a type checker sees."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        yield node
        if not isinstance(node, ast.JoinedStr):
            yield from _nodes(node)


def _named(node: ast.AST, task: str) -> list[str]:
    """Dotted names that a node imports or spells out."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
    text = ""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        text = node.value
    elif isinstance(node, ast.JoinedStr):
        text = "".join(part.value if isinstance(part, ast.Constant) else task
                       for part in node.values)  # fmt: skip
    return [text.partition(":")[0]] if OURS.fullmatch(text) else []


def _files(name: str) -> Iterator[str]:
    """The file of a module and those of the packages around it, where they hold code."""
    parts = name.split(".")
    if parts[0] != "stages":
        return
    for length in range(1, len(parts) + 1):
        path = ROOT.joinpath(*parts[:length])
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if file.is_file() and holds_code(file):
                yield file.relative_to(ROOT).as_posix()
