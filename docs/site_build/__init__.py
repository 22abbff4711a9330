"""How the documentation site is made: pages generated from what is stored, formulas as MathML, checks of the result.

``hook.py`` is what ``mkdocs.yml`` names; `make site` runs it. Only ``hook`` and ``formulas`` need what the extra `docs`
installs.
"""
