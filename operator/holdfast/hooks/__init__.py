"""Calls to URLs outside, behind a port."""
