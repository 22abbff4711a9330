"""Hold what several commands need: tables, resampling, pass@k, and finished runs found again."""
