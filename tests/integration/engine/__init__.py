"""The engine on a real MongoDB: what is backed up comes back, and what goes wrong is said."""
