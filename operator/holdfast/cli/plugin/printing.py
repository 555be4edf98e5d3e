"""What a person sees, as kubectl would print it."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import yaml

from holdfast.cli.console import errors, print_table
from holdfast.cli.plugin.options import Form
from holdfast.ports import Kind, KubeObject

if TYPE_CHECKING:
    from holdfast.kube.person import Table

Row = Mapping[str, Any]


def print_rows(kind: Kind, table: "Table", rows: Sequence[Row], form: Form, namespace: str | None) -> None:
    """Rows of a table. ``namespace`` None: of all, which a column of its own tells."""
    objects = [row["object"] for row in rows]
    if form in (Form.JSON, Form.YAML):
        _print_document({"apiVersion": "v1", "kind": "List", "items": [_tidy(one) for one in objects]}, form)
    elif form is Form.NAME:
        _print_names(kind, objects)
    elif not rows:
        errors.print(f"No resources found{f' in {namespace} namespace' if namespace else ''}.")
    else:
        shown = [number for number, column in enumerate(table.columns) if form is Form.WIDE or not column["priority"]]
        header = [table.columns[number]["name"].upper() for number in shown]
        cells = [[_cell(row["cells"][number]) for number in shown] for row in rows]
        if namespace is None:
            header.insert(0, "NAMESPACE")
            for line, one in zip(cells, objects, strict=True):
                line.insert(0, one["metadata"]["namespace"])
        print_table(header, cells)


def print_object(kind: Kind, one: KubeObject, form: Form, said: str) -> None:
    """One object: ``said`` of it, unless its JSON, YAML or name is wanted."""
    if form in (Form.JSON, Form.YAML):
        _print_document(_tidy(one), form)
    elif form is Form.NAME:
        _print_names(kind, [one])
    else:
        sys.stdout.write(f"{said}\n")


def reference(kind: Kind, name: str) -> str:
    """As ``kubectl -o name`` writes it."""
    group = kind.api_version.rpartition("/")[0]
    return f"{kind.name.lower()}{f'.{group}' if group else ''}/{name}"


def _print_names(kind: Kind, objects: Iterable[KubeObject]) -> None:
    for one in objects:
        sys.stdout.write(f"{reference(kind, one['metadata']['name'])}\n")


def _print_document(document: Any, form: Form) -> None:
    text = json.dumps(document, indent=4) + "\n" if form is Form.JSON else yaml.safe_dump(document, sort_keys=False)
    sys.stdout.write(text)


def _tidy(one: KubeObject) -> KubeObject:
    metadata = {key: value for key, value in one["metadata"].items() if key != "managedFields"}
    return {**one, "metadata": metadata}


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else " ".join(str(value).split())
