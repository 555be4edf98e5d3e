"""Calls to URLs outside, to a real HTTP server."""
