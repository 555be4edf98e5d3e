"""Kopf, thin: watch, and hand each change to one use case.

Kopf only watches here. Its create, update and timer handlers would put finalizers and annotations on the objects of
users, and a finalizer makes ``kubectl delete`` hang while the operator is down. So every handler is an ``on.event``,
which writes nothing, and only puts a key into a queue of our own; a survey puts all keys in again at an interval.
Events make it fast, the survey makes it true.
"""
