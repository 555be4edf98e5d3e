"""Holdfast keeps MongoDB databases restorable."""
