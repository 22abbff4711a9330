"""The statistics of a study, computed from its three tables; nothing here trains, probes or draws."""
