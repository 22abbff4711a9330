"""Read the logs of a run as they lie, make one record a step of all of them, and say what the run was asked to do."""
