"""The experiment `league`: every registered rule on equal terms; ``cells`` does the work, ``analysis`` reads it."""
