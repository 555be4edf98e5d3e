"""A backup as JSON, under the names of a BackupRun's status."""

from typing import Any

from holdfast.domain.phases import Phase
from holdfast.repository.manifest import ImportRecord, Manifest, timestamp


def backup_report(manifest: Manifest) -> dict[str, Any]:
    """What ``backup``, ``list`` and ``show`` print for one backup."""
    phase = Phase.PARTIALLY_FAILED if manifest.partial else Phase.SUCCEEDED
    status = manifest.status()
    collections = [
        {
            **brief,
            "storedBytes": collection.stored_bytes,
            "newBytes": collection.new_bytes,
            "notes": list(collection.notes),
        }
        for brief, collection in zip(status["collections"], manifest.collections, strict=True)
    ]
    return {
        **status,
        "collections": collections,
        "phase": phase.value,
        "policy": manifest.policy.model_dump(by_alias=True) if manifest.policy else None,
        "imported": _imported(manifest.imported) if manifest.imported else None,
        "server": manifest.server.model_dump(by_alias=True, exclude_none=True),
        "warnings": list(manifest.warnings),
    }


def _imported(record: ImportRecord) -> dict[str, Any]:
    return {**record.model_dump(by_alias=True), "time": timestamp(record.time)}
