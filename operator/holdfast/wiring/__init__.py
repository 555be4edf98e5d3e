"""The one place where use cases meet adapters."""
