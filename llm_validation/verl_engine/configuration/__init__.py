"""Read verl's configuration in one place, as a typed record of the settings that this suite looks at.

A configuration is read once, where it enters the program: :func:`~.record.read` takes a composed ``DictConfig`` or a
nested mapping, :func:`~.record.read_flat` the flat settings that a logged run left behind. Everything else gets the
record, or the part of it that it needs; each topic has a module. No dotted key of verl stands outside this package.
What follows from the settings (GPUs per copy of the model, bytes, seconds) is computed elsewhere.
"""
