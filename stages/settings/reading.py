"""Reading `params.yaml`, and saying in one line what is wrong with it."""

import difflib
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stages.errors import UserError
from stages.settings.everything import Settings

PARAMS = Path("params.yaml")


def load_settings(path: Path = PARAMS) -> Settings:
    """Read and check all of `path` (YAML 1.2).

    Raises:
        UserError: naming the key, what is wrong with it, and what is allowed.
    """
    try:
        tree = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} is missing: run from the project's folder") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not readable YAML: {' '.join(str(error).split())}") from None
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        raise UserError(f"{path}: {_first_problem(error, tree)}") from None


def _first_problem(error: ValidationError, tree: Any) -> str:
    problems = error.errors(include_url=False)
    # An unknown key is the likeliest cause of a missing one, so it is told first.
    first = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    where = ".".join(str(part) for part in first["loc"]) or "the file"
    if first["type"] == "extra_forbidden":
        *parents, key = first["loc"]
        missing = [str(p["loc"][-1]) for p in problems if p["type"] == "missing"]
        node: Any = tree
        for part in parents:
            node = node[part]
        near = difflib.get_close_matches(str(key), missing or [str(k) for k in node if k != key])
        return f"{where}: unknown key" + (f" (did you mean {near[0]}?)" if near else "")
    if first["type"] == "missing":
        return f"{where}: missing"
    message = first["msg"].removeprefix("Value error, ")
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    given = first.get("input")
    shown = f", got {given!r}" if isinstance(given, str | int | float) else ""
    return f"{where}: {message[0].lower() + message[1:]}{shown}{more}"
