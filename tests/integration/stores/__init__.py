"""The Store port: one contract, every adapter."""
