"""Normal forms: quotients of polynomials over exact generators, which show that two expressions are equal."""
