"""What is said of a sharded cluster, wherever one is met: there is none to test with, so nothing is promised."""

WHAT_IT_WOULD_NEED = (
    "A consistent backup of one would need a cluster time over all shards while no chunk migrates, and a restore would "
    "have to shard its collections as they were."
)
HINT = "Point the URI at a replica set or a standalone; for a sharded cluster, use a tool that knows them."
