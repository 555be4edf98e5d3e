"""Tests of Holdfast, and the harnesses that they run on."""
