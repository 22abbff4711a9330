"""Whether two answers agree, kind by kind; decided exactly, or left undecided."""
