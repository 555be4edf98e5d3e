"""The door to MongoDB as a source and as a target. Only this room and ``stores`` import pymongo."""
