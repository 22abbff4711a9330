"""``qae cluster launch``: jobs on Ray or Slurm, their folders, locks, attempts and checkpoints.

What a run computes is decided by ``recipes``; whether it can run is decided by ``checks``.
"""
