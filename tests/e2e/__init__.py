"""The operator in a real Kubernetes, installed by Helm, with real Jobs against a real MongoDB."""
