"""Which channels beside mail a policy has: its spec and the Secret that it names, read together."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from holdfast.domain.channels import LIMIT, channel
from holdfast.domain.notifications import Event
from holdfast.errors import InvalidInput, InvalidSpec, SecretMissing
from holdfast.ports import Cluster, Messenger
from holdfast.resources.policy import BackupPolicy
from holdfast.services.mail_account import secret_values


@dataclass(frozen=True)
class Channels:
    """``urls``: by recipient; they are secrets. ``services``: the same in words that are none."""

    urls: Mapping[str, str] = field(repr=False)
    services: Mapping[str, str]
    events: tuple[Event, ...]

    def __str__(self) -> str:
        return f"Messages go to {', '.join(f'{to} ({service})' for to, service in self.services.items())}."


def channel_account(cluster: Cluster, messenger: Messenger, policy: BackupPolicy) -> Channels | None:
    """None where none is wanted. SecretMissing, InvalidUri or InvalidSpec where one is wanted and cannot be."""
    spec, namespace = policy.spec.notifications.channels, policy.metadata.namespace
    if spec is None or spec.suspend:
        return None
    where = f"Secret {namespace}/{spec.urls_secret_ref.name}"
    values = secret_values(cluster, namespace, spec.urls_secret_ref.name)
    if values is None:
        raise SecretMissing(f"There is no {where}.", hint="Create it, with one Apprise URL under each key.")
    found = {key: url.strip() for key, url in sorted(values.items()) if url.strip()}
    if not found:
        raise SecretMissing(f"{where} holds no URL.", hint="Put one Apprise URL under each key.")
    if len(found) > LIMIT:
        raise InvalidSpec(f"{where} holds {len(found)} URLs.", hint=f"A policy has {LIMIT} channels at most.")
    services = {}
    for key, url in found.items():
        try:
            services[channel(key)] = messenger.service(url)
        except InvalidInput as error:
            raise type(error)(f"Key {key} of {where}: {error.message}", hint=error.hint) from None
    events = tuple(Event) if spec.events is None else spec.events
    return Channels({channel(key): url for key, url in found.items()}, services, events)
