"""Name why a line of a run's files is not in the result, where that is decided over several files."""

NOT_ASKED_FOR = "outside --steps"
NO_LINE = "its step has no line in the log"
NOT_WHOLE = "its step's dump is not whole"
HALF_LOGGED = "its step is logged in part, at the end of the file"
CUT_VALIDATION = "its validation is not whole"
