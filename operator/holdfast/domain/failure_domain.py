"""Whether two MongoDB URIs lead to one server, as far as the URIs tell.

Names are compared as a pod finds them, nothing is looked up: two names for one server that have nothing in common
are taken for two servers.
"""

import re
from ipaddress import ip_address
from urllib.parse import parse_qsl, unquote

_CLUSTER = "cluster.local"


def common_server(one: str, other: str, *, namespace: str) -> str:
    """What two URIs have in common, in words, or "". Both must have the form of one: see ``uri_database``.

    Ports do not matter: two servers on one host are lost together. ``namespace`` is that of the pod which uses them.
    Names of replica sets alone prove nothing, as most are called rs0: the names of two members must also be alike.
    """
    hosts, others = _hosts(one), _hosts(other)
    for host in hosts:
        if any(_full_names(host, namespace) & _full_names(name, namespace) for name in others):
            return f"host {host}"
    name = _replica_set(one)
    if name and name == _replica_set(other):
        siblings = {_sibling(full) for host in hosts for full in _full_names(host, namespace)} - {""}
        if any(_sibling(full) in siblings for host in others for full in _full_names(host, namespace)):
            return f"replica set {name}"
    return ""


def _hosts(uri: str) -> list[str]:
    authority = uri.strip().partition("://")[2].split("?", 1)[0].partition("/")[0].rpartition("@")[2]
    hosts = []
    for part in authority.split(","):
        host = part.partition("]")[0].removeprefix("[") if part.startswith("[") else part.partition(":")[0]
        hosts.append(unquote(host).lower().rstrip("."))
    return hosts


def _replica_set(uri: str) -> str:
    options = parse_qsl(uri.strip().partition("?")[2])
    return next((value for name, value in options if name.lower() == "replicaset"), "")


def _full_names(host: str, namespace: str) -> set[str]:
    """The names that a cluster's DNS tries for a host."""
    if _is_address(host) or host.endswith(f".{_CLUSTER}"):
        return {host}
    return {host, f"{host}.{namespace}.svc.{_CLUSTER}", f"{host}.svc.{_CLUSTER}", f"{host}.{_CLUSTER}"}


def _sibling(host: str) -> str:
    """``host`` without the number at the end of its first part: the members of a set differ by that."""
    if _is_address(host):
        return ""
    first, _, rest = host.partition(".")
    stem = re.sub(r"\d+$", "", first)
    return f"{stem}.{rest}" if stem != first else ""


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
