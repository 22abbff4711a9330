"""``qae cluster plan``: memory, time and GPU hours of a run, each with its formula and its assumptions."""
