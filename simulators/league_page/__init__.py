"""Write ``docs/league.md`` from a stored run of `league`: ``python -m simulators.league_page --results results``.

``condensed`` keeps what the page says of the run in ``docs/league.json``; ``cards`` has what each rule is and claims.
"""
