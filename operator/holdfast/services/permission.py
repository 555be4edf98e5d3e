"""The cluster's own word on whether somebody may do what we would do for them."""

from holdfast.errors import NotAuthorized
from holdfast.ports import Kind, Reviewer, Viewer


def check_right(reviewer: Reviewer, viewer: Viewer, verb: str, kind: Kind, namespace: str, *, role: str) -> None:
    """NotAuthorized if they may not; ``role``: the end of the name of the chart's cluster role that lets them."""
    if not reviewer.allows(viewer, verb, kind, namespace):
        raise NotAuthorized(
            f"{viewer.name} may not {verb} {kind.plural} in the namespace {namespace}.",
            hint=f"Bind a role that lets you, such as the chart's cluster role …:{role}, in that namespace.",
        )
