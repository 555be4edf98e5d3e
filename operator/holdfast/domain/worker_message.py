"""The last words of a worker's pod: its termination message, which the operator reads without a right to logs.

The worker also writes its BackupRun. This is for the case that it could not: the API server away, the run half-way.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from holdfast.domain.phases import Phase

LIMIT = 3500
"""Kubernetes keeps 4096 bytes."""


@dataclass(frozen=True)
class WorkerMessage:
    """``phase`` is terminal where the worker came to an end, and None where it gave up for now."""

    reason: str
    message: str
    phase: Phase | None = None
    status: Mapping[str, Any] = field(default_factory=dict)
    """Facts about the backup under the names of a BackupRun's status."""

    def encode(self) -> str:
        body = {"reason": self.reason, "message": self.message, "phase": self.phase, "status": dict(self.status)}
        text = json.dumps({key: value for key, value in body.items() if value}, ensure_ascii=False)
        if len(text.encode()) <= LIMIT:
            return text
        # The id is the proof of a backup: it stays.
        proof = {name: value for name, value in self.status.items() if name == "backupId"}
        body = {"reason": self.reason, "message": self.message[: LIMIT // 8], "phase": self.phase, "status": proof}
        return json.dumps({key: value for key, value in body.items() if value})


def parse_worker_message(text: str | None) -> WorkerMessage | None:
    """None for what a worker did not write itself: the tail of a log, or nothing.

    A phase that only a newer worker knows is taken as not said: how its process ended decides.
    """
    try:
        body = json.loads(text or "")
        phase = Phase(body["phase"]) if body.get("phase") in Phase.__members__.values() else None
        return WorkerMessage(str(body["reason"]), str(body.get("message", "")), phase, dict(body.get("status", {})))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
