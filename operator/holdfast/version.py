"""The version of this release, from the package's metadata."""

from importlib.metadata import version

VERSION = version("holdfast")
