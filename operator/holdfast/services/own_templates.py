"""Templates of mails that a policy brings in a ConfigMap, and the condition that says how they do.

Whatever is wrong about one of them, the mail goes: by the template that we ship.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from holdfast.domain.notifications import TEMPLATE_FAILED
from holdfast.ports import BACKUP_POLICY, CONFIG_MAP, Cluster, Mailer
from holdfast.resources.conditions import find_condition
from holdfast.resources.notifications import Delivery
from holdfast.resources.policy import BackupPolicy
from holdfast.services.say_notifications import Verdict, say_condition
from holdfast.services.write_status import parse_policy
from holdfast.specs.letters import TEMPLATE_NAMES

TEMPLATES_READY = "TemplatesReady"
SIZE_LIMIT = 64 * 1024
"""Characters of one template."""


@dataclass(frozen=True)
class OwnTemplates:
    """``usable``: by name. ``verdict``: None where the policy brings none."""

    usable: Mapping[str, str] = field(default_factory=dict)
    verdict: Verdict | None = None

    @property
    def version(self) -> str:
        """Tells one content from another."""
        return sha256(repr(sorted(self.usable.items())).encode()).hexdigest()[:8]


def own_templates(cluster: Cluster, mailer: Mailer, policy: BackupPolicy) -> OwnTemplates:
    """Those of a policy that can be used as far as can be seen before there is a mail."""
    spec, namespace = policy.spec.notifications.email.templates_ref, policy.metadata.namespace
    if spec is None:
        return OwnTemplates()
    where = f"ConfigMap {namespace}/{spec.name}"
    body = cluster.get(CONFIG_MAP, namespace, spec.name)
    if body is None:
        message = f"There is no {where}, so mails are made by the templates that Holdfast ships. Create it."
        return OwnTemplates(verdict=Verdict(False, "ConfigMapMissing", message))
    given: Mapping[str, str] = body.get("data") or {}
    faults = {name: fault for name, text in given.items() if (fault := _fault(name, text))}
    fit = {name: text for name, text in given.items() if name not in faults}
    faults |= mailer.faults(fit) if fit else {}
    usable = {name: text for name, text in fit.items() if name not in faults}
    if faults:
        words = "; ".join(f"{name}: {fault}" for name, fault in sorted(faults.items()))
        message = f"Of {where}, these cannot be used, and what Holdfast ships is used instead: {words}."
        return OwnTemplates(usable, Verdict(False, TEMPLATE_FAILED, message[:2048]))
    message = f"Mails are made by {where}: {', '.join(sorted(usable)) or 'it is empty'}."
    return OwnTemplates(usable, Verdict(True, "Configured", message))


def say_templates(
    cluster: Cluster, policy: BackupPolicy, own: OwnTemplates, told: Sequence[Delivery], *, now: datetime
) -> None:
    """Write the condition; ``told``: deliveries beside the policy's own, which may tell of a template that failed."""
    body = cluster.get(BACKUP_POLICY, policy.metadata.namespace, policy.metadata.name)
    if body is None or body["metadata"]["uid"] != policy.metadata.uid:
        return
    status = parse_policy(body).status
    if own.verdict is None and find_condition(status.conditions, TEMPLATES_READY) is None:
        return
    deliveries = (*told, *(status.notifications.deliveries if status.notifications else ()))
    verdict = own.verdict
    if verdict is not None and verdict.ready and (failed := _failed(deliveries, own.version)):
        verdict = Verdict(False, TEMPLATE_FAILED, failed)
    say_condition(cluster, body, TEMPLATES_READY, verdict, now=now, change=lambda notes: notes)


def _fault(name: str, text: str) -> str:
    if name not in TEMPLATE_NAMES:
        return "there is no template of that name"
    if len(text) > SIZE_LIMIT:
        return f"it has {len(text)} characters, of {SIZE_LIMIT} that it may"
    return ""


def _failed(deliveries: Sequence[Delivery], version: str) -> str | None:
    """What the newest mail of some event says of these very templates; not of those that were there before."""
    newest: dict[str, Delivery] = {}
    for delivery in sorted((one for one in deliveries if one.sent_time), key=lambda one: str(one.sent_time)):
        newest[delivery.event] = delivery
    return next(
        (one.error for one in newest.values() if one.reason == TEMPLATE_FAILED and version in (one.error or "")), None
    )
