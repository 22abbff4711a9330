"""Hold the evidence of the catalogue's page on the quantile and the gate: Eqs. 3 and 4, signs, shares and sparsity."""
