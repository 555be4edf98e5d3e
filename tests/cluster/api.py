"""A few questions to the API server, without starting kubectl for each."""

import http.client
import json
import ssl
from typing import Any

from tests.cluster.layout import API_PORT, BRIDGE_ADDRESS, Layout

_TIMEOUT = 3.0


def get(where: Layout, path: str) -> tuple[int, str]:
    """Return the status and the body of one GET, or status 0 when the server does not answer."""
    try:
        context = ssl.create_default_context(cafile=str(where.keys / "ca.crt"))
        context.load_cert_chain(where.keys / "admin.crt", where.keys / "admin.key")
        connection = http.client.HTTPSConnection(BRIDGE_ADDRESS, API_PORT, timeout=_TIMEOUT, context=context)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error)


def get_object(where: Layout, path: str) -> dict[str, Any] | None:
    """Return an object, or None when it is not there or the server does not answer."""
    status, body = get(where, path)
    if status != http.client.OK:
        return None
    found: dict[str, Any] = json.loads(body)
    return found


def is_ready(where: Layout) -> bool:
    """Tell whether the API server says that it is ready."""
    return get(where, "/readyz") == (http.client.OK, "ok")
