"""From tokens to expressions, by recursive descent. Trees are built directly: nothing is evaluated."""
