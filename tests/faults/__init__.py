"""Everything is killed and cut off at random while backups run; afterwards all must be well.

``python -m tests.faults --minutes 15 --seed 1``
"""
