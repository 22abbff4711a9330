"""Hold the checks that need metrics by step or settings only."""
