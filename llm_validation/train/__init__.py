"""``qae train``: one RLVR run with TRL's ``GRPOTrainer``, from its settings to its folder, and how it is resumed."""
