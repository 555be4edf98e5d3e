"""What the pages show, as pure functions of what the cluster knows: no template decides anything."""
