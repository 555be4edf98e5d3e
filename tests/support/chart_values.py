"""Writes the chart's README, with every value: ``python -m tests.support.chart_values``.

A value's description is the comment above it in ``values.yaml``. helm-docs does the same, with a syntax of its own.
"""

import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[2] / "charts" / "holdfast"
_KEY = re.compile(r"( *)([A-Za-z][A-Za-z0-9]*):")
_HEAD = """# Holdfast
Made from values.yaml by `make generate`. How to install, upgrade and remove Holdfast is in the README of the project.

```
helm install holdfast charts/holdfast --namespace holdfast-system --create-namespace --values my-values.yaml
```

A value that the chart does not know, or that cannot be, is refused before anything is installed.

## Values
"""


def readme() -> str:
    """The text of the README."""
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    comments = dict(_comments(text))
    sections = []
    for name, default in _values(yaml.safe_load(text), comments):
        above = comments.get(name) or comments[name.rpartition(".")[0]]
        sections.append(f"### {name}\n{textwrap.fill(above, 120)}\n\nDefault: `{json.dumps(default)}`\n")
    return _HEAD + "\n".join(sections)


def _comments(text: str) -> Iterator[tuple[str, str]]:
    """What is said above each key that has something above it, by the key's path."""
    path: list[str] = []
    said: list[str] = []
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            said.append(line.strip(" #"))
            continue
        if key := _KEY.match(line):
            path[len(key[1]) // 2 :] = [key[2]]
            if said:
                yield ".".join(path), " ".join(said)
        said = []


def _values(tree: dict[str, Any], comments: dict[str, str], above: str = "") -> Iterator[tuple[str, Any]]:
    """The paths that people set, with their defaults. Whatever has ``enabled`` or comments below it is divided."""
    for key, value in tree.items():
        name = f"{above}{key}"
        divided = any(one.startswith(f"{name}.") for one in comments)
        if isinstance(value, dict) and (divided or "enabled" in value):
            yield from _values(value, comments, f"{name}.")
        else:
            yield name, value


if __name__ == "__main__":
    (CHART / "README.md").write_text(readme(), encoding="utf-8")
