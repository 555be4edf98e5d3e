"""The pages that tell each field of the three resources, made from the schemas that the API server checks them by."""

import json
from collections.abc import Iterator

from holdfast.resources.crd import Schema, backup_policies, backup_runs, restore_runs

_HEAD = """# {kind}

{description}

This page is made from the code by `make generate`. `kubectl explain {singular}.spec` tells the same of the version that
your cluster has. It is `apiVersion: {group}/{version}`, `kind: {kind}`, `{short}` for short, and lies in a namespace.
People write `spec`, Holdfast writes `status`. What is not needed may be left out.
"""
_COLUMNS = """## Columns

What `kubectl get {short}` shows, and with `-o wide` those marked so.

| column | from |
|---|---|"""


def pages() -> dict[str, str]:
    """The text of each page, by its path below docs."""
    crds = (backup_policies(), backup_runs(), restore_runs())
    return {f"reference/{crd['spec']['names']['singular']}.md": _page(crd) for crd in crds}


def _page(crd: Schema) -> str:
    names = crd["spec"]["names"]
    (version,) = crd["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]
    words = {
        "kind": names["kind"],
        "singular": names["singular"],
        "short": names["shortNames"][0],
        "group": crd["spec"]["group"],
        "version": version["name"],
        "description": schema["description"],
    }
    columns = "\n".join([_COLUMNS.format(**words), *map(_column, version["additionalPrinterColumns"])])
    parts = [_HEAD.format(**words), *_rules(schema)]
    for name in ("spec", "status"):
        parts += _sections(name, schema["properties"][name])
    return "\n".join([*parts, columns]) + "\n"


def _column(column: Schema) -> str:
    return f"| {column['name'].upper()}{' (wide)' if column['priority'] else ''} | `{column['jsonPath']}` |"


def _sections(path: str, schema: Schema) -> Iterator[str]:
    """One for this object, and one for each object below it."""
    yield f"## {path}\n"
    yield f"{schema['description']}\n"
    yield from _rules(schema)
    # A required field of a status is one that is always there: nobody has to be told.
    needed = set(schema.get("required", ())) if path.startswith("spec") else set()
    below = {name: _below(f"{path}.{name}", field) for name, field in schema["properties"].items()}
    yield (
        "\n".join(_line(name, field, name in needed, below[name]) for name, field in schema["properties"].items())
        + "\n"
    )
    for name, field in schema["properties"].items():
        if inner := below[name]:
            yield from _sections(inner, field.get("items", {"description": field["description"], **field}))


def _below(path: str, field: Schema) -> str:
    """The path of the section that tells the parts of a field; empty if it has none."""
    if "properties" in field.get("items", {}):
        return f"{path}[]"
    return path if "properties" in field else ""


def _rules(schema: Schema) -> Iterator[str]:
    """What the API server checks beside single fields."""
    if rules := schema.get("x-kubernetes-validations"):
        yield "\n".join(
            ["The API server refuses what breaks one of these:\n", *(f"- {rule['message']}" for rule in rules)]
        )
        yield ""


def _line(name: str, field: Schema, needed: bool, section: str) -> str:
    title = f"[`{name}`](#{_anchor(section)})" if section else f"`{name}`"
    facts = [_type(field), *(["needed"] if needed else [])]
    if field.get("default") not in (None, {}, [], ""):
        facts.append(f"default `{_plain(field['default'])}`")
    limits = ", ".join(_limits(field))
    return f"- {title} ({', '.join(facts)}): {field['description']}{f' *{_capital(limits)}.*' if limits else ''}"


def _anchor(heading: str) -> str:
    """As both the site and GitHub make it."""
    return "".join(letter for letter in heading.lower() if letter.isalnum())


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _type(field: Schema) -> str:
    if "enum" in field:
        return " or ".join(f"`{_plain(value)}`" for value in field["enum"])
    if field.get("x-kubernetes-int-or-string"):
        return "amount"
    if field["type"] == "array":
        return f"list of {_type(field['items'])}"
    if "additionalProperties" in field:
        return f"map of {_type(field['additionalProperties'])}"
    return "time" if field.get("format") == "date-time" else str(field["type"])


def _limits(field: Schema) -> Iterator[str]:
    yield from _between(field.get("minimum"), field.get("maximum"), "")
    if field.get("minLength", 0) > 1 or "maxLength" in field:
        yield from _between(field.get("minLength"), field.get("maxLength"), " characters")
    yield from _between(field.get("minItems"), field.get("maxItems", field.get("maxProperties")), " entries")
    # The pattern of an amount tells nobody more than that word.
    if "pattern" in field and not field.get("x-kubernetes-int-or-string"):
        fence = "``" if "`" in field["pattern"] else "`"
        yield f"matching {fence}{field['pattern']}{fence}"


def _between(least: int | None, most: int | None, what: str) -> Iterator[str]:
    if most is not None:
        yield f"{least} to {most}{what}" if least is not None else f"at most {most}{what}"
    elif least:
        yield f"at least {least}{what}"


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
