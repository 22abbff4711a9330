#!/bin/sh
# Check the Coq proofs with the environment of this repository: what `make formal` runs.
set -eu
cd "$(dirname "$0")/../.."
exec "${PYTHON:-.venv/bin/python}" -m qae_theory.formal.tools.check "$@"
