"""A backup as a file: one JSON document, or mongodump's archive."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus
from threading import Event
from typing import IO
from urllib.parse import quote

from fastapi import Request
from starlette.responses import Response

from holdfast.domain.rate import Rate
from holdfast.dump.json_file import default_name
from holdfast.errors import HoldfastError, NotAuthorized
from holdfast.ports import BACKUP_POLICY, Cluster, Viewer
from holdfast.repository.manifest import Manifest
from holdfast.resources.policy import BackupPolicy
from holdfast.services.download import Opener, download
from holdfast.services.export import ExportFormat
from holdfast.services.look_up import LookUp
from holdfast.services.rights import DOWNLOAD
from holdfast.version import VERSION
from holdfast.web.audit import Audit
from holdfast.web.file_stream import FileStream, Refuse, Sink
from holdfast.web.limits import Limiter, Places, TooMany
from holdfast.web.parameters import origin_of
from holdfast.web.problems import answer

ACTION = "Download"
NOTE = "BackupDownloaded"
RATE = Rate(burst=10, seconds=60)
"""For each user."""
AT_ONCE = 3
"""Each takes a few chunks of memory, and connections to a store."""
AT_ONCE_OF_ONE = 2
_OLD = "UpgradeRequired"


class DownloadFormat(StrEnum):
    JSON = "json"
    ARCHIVE = "archive"


_TYPES = {DownloadFormat.JSON: "application/json", DownloadFormat.ARCHIVE: "application/octet-stream"}


@dataclass(frozen=True)
class Wanted:
    """``backup_id``: None for the newest good one. ``known``: of which ETags there is a file already."""

    backup_id: str | None
    form: DownloadFormat
    known: str


class Downloads:
    """Hands backups to whoever may have them, and says in the audit log and in an event who that was."""

    def __init__(
        self,
        look_up: LookUp,
        opener: Opener | None,
        cluster: Cluster,
        audit: Audit,
        clock: Callable[[], datetime],
        seconds: Callable[[], float],
    ) -> None:
        """``opener``: None where downloads are switched off; ``seconds``: a clock that never goes back."""
        self._look_up, self._opener, self._cluster = look_up, opener, cluster
        self._audit, self._clock = audit, clock
        self._limiter = Limiter("downloads", RATE, seconds)
        self._places = Places("downloads at once", AT_ONCE, AT_ONCE_OF_ONE)

    @property
    def on(self) -> bool:
        return self._opener is not None

    def answer(
        self,
        request: Request,
        viewer: Viewer,
        namespace: str | None,
        policy: str | None,
        wanted: Wanted,
        *,
        refuse: Refuse | None = None,
    ) -> Response:
        """Raises what refuses it. What is wrong with the backup itself is known when the answer begins; ``refuse``
        makes the answer then, where it is not to be a problem document."""
        origin = origin_of(request)
        old = request.scope["http_version"] == "1.0"
        try:
            if self._opener is None:
                raise NotAuthorized("Downloads are switched off.", hint="The chart's value web.download allows them.")
            found, opener = self._look_up.policy(viewer, namespace, policy, DOWNLOAD), self._opener
            if not old:
                self._limiter.admit(viewer.name)
                self._places.take(viewer.name)
        except (HoldfastError, TooMany) as error:
            self._audit.tell(viewer, ACTION, namespace or "", policy or "", origin=origin, result=error.reason)
            raise
        if old:
            self._audit.tell(viewer, ACTION, found.metadata.namespace, found.metadata.name, origin=origin, result=_OLD)
            return _too_old()
        delivery = _Delivery(viewer, found, wanted, origin, self._audit, self._cluster)

        def make(sink: Sink, stop: Event) -> None:
            try:
                delivery.make(opener, sink, stop, self._clock)
            finally:
                # Before the last piece goes out: who has it may ask for the next file at once.
                self._places.give_back(viewer.name)

        return FileStream(make, delivery.end, refuse)


@dataclass
class _Delivery:
    """One backup on its way, and what is told of it."""

    viewer: Viewer
    policy: BackupPolicy
    wanted: Wanted
    origin: str
    audit: Audit
    cluster: Cluster
    result: str = "Done"

    def make(self, opener: Opener, sink: Sink, stop: Event, clock: Callable[[], datetime]) -> None:
        wanted = self.wanted

        def offer(manifest: Manifest) -> IO[bytes] | None:
            self.wanted = replace(wanted, backup_id=manifest.backup_id)
            tag = f'"{manifest.backup_id}.{wanted.form}.{VERSION}"'
            if _knows(wanted.known, tag):
                self.result = "NotModified"
                sink.describe({"ETag": tag}, HTTPStatus.NOT_MODIFIED)
                return None
            sink.describe({"ETag": tag, **_headers(manifest, wanted.form)})
            self._begin()
            return sink.file()

        download(self.policy, wanted.backup_id, ExportFormat(wanted.form), opener, offer, stop, clock)

    def end(self, failure: Exception | None) -> None:
        if failure is not None:
            self.result = failure.reason if isinstance(failure, HoldfastError) else "Bug"
        self._tell(self.result)

    def _begin(self) -> None:
        """Before the first byte: what is taken away is known, however it ends."""
        self._tell("Started")
        note = f"{self.viewer.name} downloads backup {self.wanted.backup_id} as {self.wanted.form} over HTTP."
        self.cluster.record({"metadata": self.policy.metadata.to_wire()}, BACKUP_POLICY, "Normal", NOTE, note)

    def _tell(self, result: str) -> None:
        metadata = self.policy.metadata
        name = self.wanted.backup_id or metadata.name
        self.audit.tell(self.viewer, ACTION, metadata.namespace, name, origin=self.origin, result=result)


def _headers(manifest: Manifest, form: DownloadFormat) -> dict[str, str]:
    """A backup that is not whole says so in the name of its file."""
    name = default_name(manifest.database, manifest.start_time).removesuffix(".json")
    name += f"{'-partial' if manifest.partial else ''}.{form}"
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in name)
    return {
        "Content-Type": _TYPES[form],
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}",
    }


def _knows(if_none_match: str, tag: str) -> bool:
    known = {one.strip().removeprefix("W/") for one in if_none_match.split(",")}
    return tag in known or "*" in known


def _too_old() -> Response:
    """There a file has no end that shows: one that broke off would pass for a whole one."""
    return answer(
        HTTPStatus.UPGRADE_REQUIRED,
        _OLD,
        "A download is not sent by HTTP/1.0, where one that broke off looks whole.",
        "Use HTTP/1.1. Behind nginx: proxy_http_version 1.1.",
        {"Upgrade": "HTTP/1.1", "Connection": "Upgrade"},
    )
