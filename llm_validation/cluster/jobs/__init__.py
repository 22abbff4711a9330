"""Launch jobs on Ray or Slurm and keep their folders, locks, attempts and checkpoints (``qae cluster launch``).

What a run computes is decided by ``recipes``; whether it can run is decided by ``checks``.
"""
