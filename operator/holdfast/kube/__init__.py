"""Kubernetes behind ports. The only importer of the Kubernetes client."""
