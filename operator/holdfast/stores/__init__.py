"""Where a repository lives. Each module implements :class:`holdfast.ports.Store`."""
