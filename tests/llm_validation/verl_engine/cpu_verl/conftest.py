"""What is here runs inside verl's processes: no tests, and not to be imported without verl."""

collect_ignore_glob = ["*.py"]
