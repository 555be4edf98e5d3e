"""The main job for a person to watch, on real parts: `make demo`."""
