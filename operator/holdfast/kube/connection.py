"""One request to the Kubernetes API: authorised, bounded in time, with our errors for its refusals."""

import json
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from http import HTTPStatus
from typing import Any

import urllib3
from kubernetes import client, config
from kubernetes.config.config_exception import ConfigException

from holdfast.errors import ClusterUnavailable, HoldfastError, InvalidSpec, NotAuthorized
from holdfast.ports import Fence

CONNECT_SECONDS = 5
READ_SECONDS = 30

_GONE = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}


class Refused(Exception):
    """The API server answered, and the answer is no: 404, 409, 410; 401 about the token of somebody else."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason

    @property
    def gone(self) -> bool:
        return self.status in _GONE

    @property
    def conflict(self) -> bool:
        return self.status == HTTPStatus.CONFLICT


class Connection:
    """The Kubernetes client, reduced to requests with JSON bodies.

    ``fence``: what each request that changes something must pass. A process may be frozen between that and the sending.
    So what goes out then is harmless: a status or a deletion names what it was judged by, a new object has a name that
    the leader gives it too, and what is applied by force the leader sees and puts right.
    """

    def __init__(
        self,
        api: client.ApiClient,
        *,
        connect_seconds: float = CONNECT_SECONDS,
        read_seconds: float = READ_SECONDS,
        fence: Fence | None = None,
    ) -> None:
        self._api = api
        self._timeout = (connect_seconds, read_seconds)
        self._fence = fence

    @classmethod
    def from_environment(
        cls,
        *,
        connect_seconds: float = CONNECT_SECONDS,
        read_seconds: float = READ_SECONDS,
        fence: Fence | None = None,
    ) -> "Connection":
        """With the service account of the pod we run in, else with the user's kubeconfig."""
        configuration = client.Configuration()
        # Many threads share the pool; a dropped keep-alive connection is opened anew, no answer is awaited twice.
        configuration.connection_pool_maxsize = 32
        configuration.retries = urllib3.Retry(total=2, connect=1, read=1, redirect=0, status=0, other=0)
        try:
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        except ConfigException:
            try:
                config.load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
            except (ConfigException, OSError) as error:
                raise ClusterUnavailable(
                    "No Kubernetes cluster is configured.",
                    hint="Run in a pod with a service account, or set KUBECONFIG.",
                ) from error
        return cls(
            client.ApiClient(configuration), connect_seconds=connect_seconds, read_seconds=read_seconds, fence=fence
        )

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        token: str | None = None,
    ) -> Any:
        """Given a path, return the JSON of a good answer. Raises Refused, or an error of ours.

        ``token``: that of somebody else, in whose name to ask. Refused with 401 if it is none.
        """
        headers = {"Accept": accept}
        if body is not None:
            headers["Content-Type"] = content_type
            # The client encodes what is JSON by its name, and takes anything else as it is.
            body = body if content_type.endswith("json") else json.dumps(body)
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        with self._fence.act() if self._fence is not None and method != "GET" else nullcontext():
            return self._send(method, path, query, body, headers)

    def _send(self, method: str, path: str, query: Mapping[str, str] | None, body: Any, headers: dict[str, str]) -> Any:
        own = "Authorization" not in headers
        try:
            parameters = self._api.param_serialize(
                method,
                path,
                query_params=list((query or {}).items()),
                header_params=headers,
                body=body,
                auth_settings=["BearerToken"] if own else [],
            )
            response = self._api.call_api(*parameters, _request_timeout=self._timeout)
            data: bytes = response.read()  # type: ignore[no-untyped-call]
        except (urllib3.exceptions.HTTPError, client.ApiException, OSError) as error:
            raise ClusterUnavailable(f"The Kubernetes API does not answer ({type(error).__name__}).") from error
        if response.status == HTTPStatus.UNAUTHORIZED and not own:
            raise Refused(response.status, "Unauthorized")
        if response.status >= HTTPStatus.BAD_REQUEST:
            raise _translate(response.status, data)
        return json.loads(data) if data else {}

    def lines(self, path: str, *, query: Mapping[str, str], silence_seconds: float) -> Iterator[Any]:
        """The JSON values of an answer that goes on, such as a watch, as they come; it ends when the server ends it.

        Raises Refused, or ClusterUnavailable when it breaks off, or nothing comes for ``silence_seconds``.
        """
        try:
            parameters = self._api.param_serialize(
                "GET",
                path,
                query_params=list(query.items()),
                header_params={"Accept": "application/json"},
                auth_settings=["BearerToken"],
            )
            answer = self._api.call_api(*parameters, _request_timeout=(self._timeout[0], silence_seconds))
            if answer.status >= HTTPStatus.BAD_REQUEST:
                raise _translate(answer.status, answer.read())  # type: ignore[no-untyped-call]
            try:
                for line in answer.response:
                    if line.strip():
                        yield json.loads(line)
            finally:
                # Not given back to the pool: the rest of the answer would still come on it.
                answer.response.close()
        except (urllib3.exceptions.HTTPError, client.ApiException, OSError, ValueError) as error:
            raise ClusterUnavailable(f"A watch of the Kubernetes API broke off ({type(error).__name__}).") from error


def _translate(status: int, data: bytes) -> HoldfastError | Refused:
    reason, message = "", data[:500].decode(errors="replace")
    try:
        answer = json.loads(data)
        reason, message = answer.get("reason", ""), answer.get("message", message)
    except (ValueError, AttributeError):
        pass
    if status in _GONE or status == HTTPStatus.CONFLICT:
        return Refused(status, reason)
    if status == HTTPStatus.UNAUTHORIZED:
        return ClusterUnavailable("The Kubernetes API does not accept our credentials.")
    if status == HTTPStatus.FORBIDDEN:
        return NotAuthorized(f"The Kubernetes API forbids it: {message}")
    if status in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY):
        return InvalidSpec(f"The Kubernetes API finds it invalid: {message}")
    return ClusterUnavailable(f"The Kubernetes API answers {status}: {message}")
