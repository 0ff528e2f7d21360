# Two commands on a fresh machine (Python 3.11+ and make): `make demo` and `make test`.
# Both set up .venv here with the locked versions of constraints.txt.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: demo test lint bench clean

# The allocator keeps what it has: asking the system for the logits of every step anew takes a fifth of the time.
demo: $(INSTALLED)
	MALLOC_TRIM_THRESHOLD_=1000000000 MALLOC_MMAP_THRESHOLD_=1000000000 $(BIN)/python -m playpen_eval.demo

test: $(INSTALLED) lint
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -n logical --maxprocesses 8 --dist worksteal

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

bench: $(INSTALLED)
	$(BIN)/python tests/bench/bench_steps.py
	$(BIN)/python tests/bench/bench_games.py
	$(BIN)/python tests/bench/bench_inspect.py
	$(BIN)/python tests/bench/bench_lmeval.py
	$(BIN)/python tests/bench/bench_cli.py
	$(BIN)/python tests/bench/bench_runs.py
	$(BIN)/python tests/bench/bench_local_provider.py
	$(BIN)/python tests/bench/bench_train.py

# torch comes first and by itself: with it in place nothing else pulls in another build of it.
$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "playpen-eval needs Python 3.11 or newer; set PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv .venv || { echo "cannot make a virtual environment; on Debian: apt install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[hf,lm-eval,train,dev]'
	@touch $@

clean:
	rm -rf .venv build *.egg-info logs out
