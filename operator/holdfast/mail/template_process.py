"""The program of a process that renders templates of users: a task as JSON in, texts and faults as JSON out.

It runs by its path, isolated, so it imports nothing of ours.
"""

import json
import resource
import sys
from collections.abc import Mapping
from typing import Any

from jinja2 import ChoiceLoader, DictLoader, FileSystemLoader, StrictUndefined, TemplateError, select_autoescape
from jinja2.sandbox import ImmutableSandboxedEnvironment

CPU_SECONDS = 3
MEMORY_BYTES = 64 * 1024**2
"""Of addresses, measured at 25 MiB with ours. It is a part of what the operator's container may have."""
OUTPUT_LIMIT = 256 * 1024
"""Characters. Gmail shows no more than the first 100 KiB of a mail."""


def main() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    task = json.load(sys.stdin)
    texts: dict[str, str] = {}
    faults: dict[str, str] = {}
    environment = _environment(task)
    for name in task["names"]:
        try:
            template = environment.get_template(name)
            if task["facts"] is None:
                continue
            text = template.render(task["facts"]).strip() + "\n"
        except TemplateError as error:
            faults[name] = _words(error)
        except Exception as error:  # noqa: BLE001 (a template may raise anything; its words may be anything too)
            faults[name] = type(error).__name__
        else:
            if len(text) > OUTPUT_LIMIT:
                faults[name] = f"it makes {len(text)} characters, of {OUTPUT_LIMIT} that it may"
            else:
                texts[name] = text
    json.dump({"texts": texts, "faults": faults}, sys.stdout)


def _environment(task: Mapping[str, Any]) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        loader=ChoiceLoader([DictLoader(task["own"]), FileSystemLoader(task["shipped"])]),
        autoescape=select_autoescape(["html"], default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(task["words"])
    return environment


def _words(error: TemplateError) -> str:
    line = getattr(error, "lineno", None)
    where = f"line {line}: " if line else ""
    return f"{where}{error.message or type(error).__name__}"[:300]


if __name__ == "__main__":
    main()
