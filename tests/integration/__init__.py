"""Tests against real servers: MongoDB, object storage, mail."""
