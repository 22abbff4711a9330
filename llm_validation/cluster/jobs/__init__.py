"""``qae cluster launch``: jobs on Ray or Slurm, their folders, locks, attempts and checkpoints."""
