"""The CustomResourceDefinitions, generated from the models so that the two cannot drift apart."""

from typing import Any

import yaml
from pydantic import BaseModel

from holdfast.resources.base import GROUP, VERSION
from holdfast.resources.policy import NAME_LIMIT, TOGETHER_NAME_LIMIT, BackupPolicySpec, BackupPolicyStatus
from holdfast.resources.restore_run import SPEC_RULES, RestoreRunSpec, RestoreRunStatus
from holdfast.resources.run import BackupRunSpec, BackupRunStatus

Schema = dict[str, Any]

_DROPPED = {"title", "additionalProperties", "propertyNames", "const"}
_KEPT = {
    "description",
    "enum",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
    "format",
    "minItems",
    "maxItems",
    "maxProperties",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-validations",
    "x-kubernetes-int-or-string",
}

HEADER = "# Generated from the models by `holdfast crds`. Do not edit.\n"


def structural(model: type[BaseModel], *, defaults: bool) -> Schema:
    """The model's JSON schema in the form that Kubernetes calls structural: no references, no nulls, one type each."""
    document = model.model_json_schema(by_alias=True, mode="validation")
    return _convert(document, document.get("$defs", {}), defaults=defaults)


def _convert(node: Schema, definitions: dict[str, Schema], *, defaults: bool) -> Schema:
    node = _resolve(node, definitions)
    result: Schema = {key: value for key, value in node.items() if key in _KEPT}
    if node.get("x-kubernetes-int-or-string"):
        return {**result, "anyOf": [{"type": "integer"}, {"type": "string"}]}
    if "const" in node:
        result["enum"] = [node["const"]]
    result["type"] = node["type"]
    if node["type"] == "integer":
        result["format"] = "int64"
    if node["type"] == "array":
        result["items"] = _convert(node["items"], definitions, defaults=defaults)
    if node["type"] == "object":
        _convert_object(node, result, definitions, defaults=defaults)
    if defaults and node.get("default") is not None:
        default = _default(node["default"], result)
        if default or default is False or default == 0 or "properties" in result:
            result["default"] = default
    return _order(result)


def _default(value: Any, schema: Schema) -> Any:
    """``value`` without what the API server fills in by itself, from the defaults of the fields inside."""
    if not isinstance(value, dict) or "properties" not in schema:
        return value
    fields = schema["properties"]
    return {
        name: _default(child, fields[name])
        for name, child in value.items()
        if child is not None and "default" not in fields[name] and (child or "properties" in fields[name])
    }


def _convert_object(node: Schema, result: Schema, definitions: dict[str, Schema], *, defaults: bool) -> None:
    if "properties" in node:
        result["properties"] = {
            name: _convert(child, definitions, defaults=defaults) for name, child in node["properties"].items()
        }
        if required := node.get("required"):
            result["required"] = required
    elif isinstance(values := node.get("additionalProperties"), dict):
        result["additionalProperties"] = _convert(values, definitions, defaults=defaults)


def _resolve(node: Schema, definitions: dict[str, Schema]) -> Schema:
    """Follow ``$ref``, and take the one branch that is not null; what stands beside them wins over what they say."""
    while True:
        if "$ref" in node:
            target = definitions[node["$ref"].rsplit("/", 1)[1]]
        elif "anyOf" in node and not node.get("x-kubernetes-int-or-string"):
            (target,) = [branch for branch in node["anyOf"] if branch.get("type") != "null"]
        else:
            return node
        node = {**target, **{key: value for key, value in node.items() if key not in ("$ref", "anyOf")}}


def _order(schema: Schema) -> Schema:
    first = ("description", "type", "format")
    return {key: schema[key] for key in (*first, *sorted(set(schema) - set(first))) if key in schema}


def backup_policies() -> Schema:
    name_rule = {
        "rule": f"size(self.metadata.name) <= {NAME_LIMIT}",
        "message": f"the name of a BackupPolicy has at most {NAME_LIMIT} characters, because its CronJob takes it",
    }
    together_rule = {
        "rule": "!has(self.spec.job) || !has(self.spec.job.parallelism) || self.spec.job.parallelism == 1 || "
        f"(size(self.metadata.name) <= {TOGETHER_NAME_LIMIT} && !self.metadata.name.contains('.'))",
        "message": f"with job.parallelism, the name of a BackupPolicy has at most {TOGETHER_NAME_LIMIT} characters "
        "and no dot, because the hosts of its pods take it",
    }
    return _crd(
        kind="BackupPolicy",
        plural="backuppolicies",
        short="bp",
        description="A BackupPolicy keeps a MongoDB database restorable: it says what is backed up, when and where to.",
        spec=structural(BackupPolicySpec, defaults=True),
        status=structural(BackupPolicyStatus, defaults=False),
        rules=[name_rule, together_rule],
        columns=[
            ("Schedule", "string", ".spec.schedule.cron", 0),
            ("Suspended", "boolean", ".spec.schedule.suspend", 0),
            ("Ready", "string", '.status.conditions[?(@.type=="Ready")].status', 0),
            ("Health", "string", ".status.health.verdict", 0),
            ("Last success", "date", ".status.lastSuccessfulRun.completionTime", 0),
            ("Backups", "integer", ".status.retention.kept", 0),
            ("Last run", "string", ".status.lastRun.phase", 1),
            ("Next", "string", ".status.nextScheduleTime", 0),
            ("Time zone", "string", ".spec.schedule.timeZone", 1),
            ("Success %", "integer", ".status.statistics.successPercent", 1),
            ("Drill", "string", ".status.lastDrill.result", 1),
            ("Recovery time", "string", ".status.lastDrill.duration", 1),
            ("Any second from", "string", ".status.pointInTime.from", 1),
            ("To", "string", ".status.pointInTime.to", 1),
            ("Message", "string", '.status.conditions[?(@.type=="Ready")].message', 1),
            ("Health message", "string", ".status.health.message", 1),
        ],
    )


def backup_runs() -> Schema:
    spec = structural(BackupRunSpec, defaults=True)
    spec["x-kubernetes-validations"] = [
        {
            "rule": "self.policyRef == oldSelf.policyRef && self.reason == oldSelf.reason",
            "message": "the spec of a BackupRun cannot be changed, but for hold, cancel and deletionPolicy: "
            "create another run",
        },
        {
            "rule": "self.cancel || !oldSelf.cancel",
            "message": "a cancelled run does not go on: create another run",
        },
        {
            "rule": "!self.cancel || self.reason != 'PreRestore'",
            "message": "a backup before a restore ends with its RestoreRun: delete that",
        },
    ]
    return _crd(
        kind="BackupRun",
        plural="backupruns",
        short="br",
        description="A BackupRun is one backup of a BackupPolicy, from the wish to its end. Create one to back up now.",
        spec=_order(spec),
        status=structural(BackupRunStatus, defaults=False),
        rules=[],
        columns=[
            ("Policy", "string", ".spec.policyRef.name", 0),
            ("Phase", "string", ".status.phase", 0),
            ("Progress", "string", ".status.progress", 0),
            ("Documents", "integer", ".status.documents", 0),
            ("Size", "string", ".status.storedSize", 0),
            ("New", "string", ".status.newSize", 0),
            ("Consistency", "string", ".status.consistency.level", 0),
            ("Duration", "string", ".status.duration", 0),
            ("Pruned", "date", ".status.pruneTime", 0),
            ("Hold", "boolean", ".spec.hold", 1),
            ("Reason", "string", ".status.reason", 1),
            ("Message", "string", ".status.message", 1),
        ],
    )


def restore_runs() -> Schema:
    spec = structural(RestoreRunSpec, defaults=True)
    spec["x-kubernetes-validations"] = SPEC_RULES
    return _crd(
        kind="RestoreRun",
        plural="restoreruns",
        short="rr",
        description="A RestoreRun is one restore of a backup: planned with mode: Plan, done and proven with mode: "
        "Apply. One that has ended never runs again.",
        spec=_order(spec),
        status=structural(RestoreRunStatus, defaults=False),
        rules=[],
        columns=[
            ("Policy", "string", ".status.policy", 1),
            ("Backup", "string", ".status.backupId", 0),
            ("Target", "string", ".status.database", 0),
            ("Point in time", "string", ".status.pointInTime.time", 1),
            ("Mode", "string", ".spec.mode", 0),
            ("Existing", "string", ".spec.existing", 1),
            ("Strategy", "string", ".status.strategy", 1),
            ("Phase", "string", ".status.phase", 0),
            ("Progress", "string", ".status.progress", 0),
            ("Documents", "integer", ".status.documents", 0),
            ("Duration", "string", ".status.duration", 0),
            ("Reason", "string", ".status.reason", 1),
            ("Message", "string", ".status.message", 1),
        ],
    )


def _crd(
    *,
    kind: str,
    plural: str,
    short: str,
    description: str,
    spec: Schema,
    status: Schema,
    rules: list[Schema],
    columns: list[tuple[str, str, str, int]],
) -> Schema:
    # kstatus takes an object without a status for ready; -1 never matches a generation.
    status = {**status, "default": {"observedGeneration": -1}}
    schema: Schema = {
        "description": description,
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": "The version of the API that this object is written in."},
            "kind": {"type": "string", "description": "The kind of this object."},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": status,
        },
    }
    if rules:
        schema["x-kubernetes-validations"] = rules
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{GROUP}",
            "labels": {"app.kubernetes.io/name": "holdfast", "app.kubernetes.io/part-of": "holdfast"},
            # A CRD that goes takes every policy with it, so Helm leaves it when the release goes.
            "annotations": {"helm.sh/resource-policy": "keep"},
        },
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "shortNames": [short],
                "categories": ["holdfast"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": _columns(columns),
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    }


def _columns(columns: list[tuple[str, str, str, int]]) -> list[Schema]:
    """Age behind those that are always shown, as with Kubernetes' own kinds, and then those of ``-o wide``."""
    always, wide = ([one for one in columns if one[3] == priority] for priority in (0, 1))
    ordered = [*always, ("Age", "date", ".metadata.creationTimestamp", 0), *wide]
    return [
        {"name": name, "type": type_, "jsonPath": path, "priority": priority} for name, type_, path, priority in ordered
    ]


def documents() -> dict[str, str]:
    """File name to content, as committed under ``crds/``."""
    crds = (backup_policies(), backup_runs(), restore_runs())
    return {f"{crd['spec']['names']['plural']}.yaml": _dump(crd) for crd in crds}


def _dump(crd: Schema) -> str:
    return HEADER + yaml.dump(crd, sort_keys=False, width=110, allow_unicode=True, Dumper=_Dumper)


class _Dumper(yaml.SafeDumper):
    """Without anchors, which some readers of CRDs do not know."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True
