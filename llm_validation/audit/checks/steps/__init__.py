"""Checks that need metrics by step or settings only."""
