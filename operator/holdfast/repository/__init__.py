"""The backup format: documents in chunks, chunks in lists, lists in a manifest. ``docs/format.md`` explains it."""
