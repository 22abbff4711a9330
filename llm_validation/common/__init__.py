"""What several commands need: tables, resampling, pass@k, and how a command says that it cannot go on."""
