"""Speed of the shipped functions, each beside a peer measured in the same run: ``make bench``."""
