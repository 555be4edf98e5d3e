"""Who holds a lock, and what became of it, by the word of Kubernetes: the witness of workers for each other.

A worker writes its pod into its locks. Another one in the same namespace can ask for that pod: where its container has
ended, so has its process. A pod that is not there any more proves less (somebody may have removed it by force, from a
machine that is cut off), and that only to a worker of the same policy: else it may be the pod of another cluster.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from holdfast.errors import HoldfastError
from holdfast.ports import POD, Cluster, Fate
from holdfast.specs.job_state import pod_state


@dataclass(frozen=True)
class PodWitness:
    """Implements :class:`holdfast.ports.Witness`, in the pod of that name and uid."""

    cluster: Cluster
    namespace: str
    pod: str
    pod_uid: str
    policy_uid: str

    def myself(self) -> Mapping[str, str]:
        if not (self.pod and self.pod_uid):
            return {}  # started by an earlier release
        return {
            "namespace": self.namespace,
            "pod": self.pod,
            "podUid": self.pod_uid,
            "policyUid": self.policy_uid,
        }

    def fate(self, holder: Mapping[str, str]) -> Fate:
        if holder.get("namespace") != self.namespace or not (holder.get("pod") and holder.get("podUid")):
            return Fate.UNKNOWN
        try:
            body = self.cluster.get(POD, self.namespace, holder["pod"])
        except HoldfastError:
            return Fate.UNKNOWN
        if body is None or body["metadata"]["uid"] != holder["podUid"]:
            ours = bool(self.policy_uid) and holder.get("policyUid") == self.policy_uid
            return Fate.GONE if ours else Fate.UNKNOWN
        state = pod_state(body)
        if state.exit_code is not None:
            return Fate.ENDED
        # Without a word of its container: Kubernetes gave it up with its node.
        return Fate.GONE if state.finished else Fate.UNKNOWN
