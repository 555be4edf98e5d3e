"""Pure functions: a policy in, Kubernetes objects out."""
