"""Pure rules: no input or output, no clock (``now`` is a parameter), no Kubernetes, no MongoDB."""
