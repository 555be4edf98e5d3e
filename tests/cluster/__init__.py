"""A real one-node Kubernetes without a container engine, for tests and the demo.

Use it as ``python -m tests.cluster COMMAND``, or from Python::

    from tests.cluster import up, down, build_image, Cluster
"""

from tests.cluster.cluster import Cluster, down, up
from tests.cluster.errors import ClusterError
from tests.cluster.images import build_image

__all__ = ["Cluster", "ClusterError", "build_image", "down", "up"]
