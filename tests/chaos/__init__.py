"""The fault suite: a load of runs on real processes, faults by a seeded schedule, and a checker of the whole history.

``python -m chaos --backend sqlite --runs 1000 --seed 1`` (with ``PYTHONPATH=tests``), or ``make chaos ARGS=...``.
"""
