"""The one reader of verl's configuration: a typed record of the settings that this suite looks at, a module a topic.

A configuration is read once, where it enters the program: :func:`~.record.read` takes a composed ``DictConfig`` or a
nested mapping, :func:`~.record.read_flat` the flat settings that a logged run left behind. Everything else gets the
record, or the part of it that it needs. No dotted key of verl stands outside this package. Not here: what follows from
the settings (GPUs to a copy of the model, bytes, seconds), which is for those who ask.
"""
