"""The formats of mongodump and Extended JSON: bytes and files, no database, no repository."""
