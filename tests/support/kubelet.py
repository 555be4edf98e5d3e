"""What a kubelet gives to ``kubectl logs``: a node, and a server that answers with the log of a container."""

import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.support.certificate import make_certificate
from tests.support.control_plane import ControlPlane

NODE = "node-of-logs"


class LogServer:
    """``folder`` takes its certificate. Every container that it is asked for has said ``text``."""

    def __init__(self, plane: ControlPlane, folder: Path, text: str) -> None:
        self.paths: list[str] = []
        paths = self.paths

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                paths.append(self.path)
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *arguments: object) -> None:
                del arguments

        self._plane = plane
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        certificate, key, _ = make_certificate(folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever)

    def start(self) -> None:
        self._thread.start()
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}}
        self._plane.kubectl("apply", "-f", "-", stdin=json.dumps(node))
        status = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._server.server_address[1]}},
        }
        patch = f"--patch={json.dumps({'status': status})}"
        self._plane.kubectl("patch", "node", NODE, "--subresource=status", "--type=merge", patch)

    def take(self, namespace: str, pod: str) -> None:
        """Let a pod be on this node."""
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": pod},
            "target": {"apiVersion": "v1", "kind": "Node", "name": NODE},
        }
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/binding"
        self._plane.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(binding))

    def stop(self) -> None:
        self._plane.kubectl("delete", "node", NODE)
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
