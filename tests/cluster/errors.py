"""The one error of this package."""


class ClusterError(Exception):
    """Something that a person has to know or do before the cluster can go on, said in one sentence."""
