"""Imported ahead of all else: leaves a process without the tools of our tests, which the image does not have.

The client of Kubernetes takes `kubernetes_validate` along where there is one, and 20 MiB with it.
"""

import sys

sys.modules["kubernetes_validate"] = None  # type: ignore[assignment]
