"""Read responses: dumps of rollouts, completions, traces and score lists."""
