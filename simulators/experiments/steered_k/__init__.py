"""The experiment `steered-k`: does K hold an entropy, when does the loop oscillate, where do noisy groups go."""
