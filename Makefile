# Each target makes .venv and installs into it what it needs; only python3, pip and make have to be there.
# Without a GPU, a PIP_EXTRA_INDEX_URL that names PyTorch's index of CPU wheels makes the download much smaller.
PYTHON ?= python3
VENV := .venv
# One more than the cores of a small machine: two and four were no faster on two cores.
TEST_JOBS ?= 3
BIN := $(VENV)/bin
# The tests start hundreds of processes: Python keeps what it has compiled for the next, even where it is told not to.
export PYTHONDONTWRITEBYTECODE :=
SOURCES := pyproject.toml constraints.txt
# Memory that glibc keeps for the next tensor instead of giving it back saves the tests a twentieth of the processor's time.
KEPT_MEMORY := MALLOC_MMAP_THRESHOLD_=33554432 MALLOC_TRIM_THRESHOLD_=1073741824

.PHONY: demo test test-cpus test-oldest test-newest lint bench clean

demo: $(VENV)/.headless
	$(BIN)/reelpatch demo --out demo_out

test: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(KEPT_MEMORY) $(BIN)/python -m pytest -n $(TEST_JOBS)

# The numbers by the kernels of other processors, some twenty minutes on two cores: docs/versions.md says what it sets.
test-cpus: $(VENV)/.test
	$(BIN)/python -m tests.cpus

# The suite on the oldest and on the newest versions that pyproject.toml allows, each in a venv of its own
# (docs/versions.md). OLDEST_PYTHON is the oldest Python that it allows, NEWEST_PYTHON the newest.
OLDEST_PYTHON ?= python3.11
NEWEST_PYTHON ?= python3.13

test-oldest: constraints-oldest.txt
	$(OLDEST_PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/python -m pip install --quiet -c $< -e ".[headless,test]"
	.venv-oldest/bin/python -m pytest -n $(TEST_JOBS)

test-newest:
	$(NEWEST_PYTHON) -m venv .venv-newest
	.venv-newest/bin/python -m pip install --quiet --upgrade -e ".[headless,test]"
	.venv-newest/bin/python -m pytest -n $(TEST_JOBS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python

# A few minutes on a CPU; ComfyUI's part needs a checkout (COMFYUI_PATH). With a GPU: python -m benchmarks.gpu
bench: $(VENV)/.test
	$(BIN)/python -m benchmarks.cpu

clean:
	rm -rf $(VENV) .venv-oldest .venv-newest demo_out

$(BIN)/python:
	$(PYTHON) -m venv $(VENV) || $(PYTHON) -m venv --clear --without-pip $(VENV)

# Where the venv has no pip (Debian without python3-venv), the system's installs into it.
# torch is named in the same call, so that no other package draws in another one. pip would compile all of 16,000 files, and by
# one process; the import compiles the quarter that is used, before several processes at once would.
$(VENV)/.%: $(SOURCES) | $(BIN)/python
	if $(BIN)/python -m pip --version >/dev/null 2>&1; then pip="$(BIN)/python -m pip"; \
	else pip="$(PYTHON) -m pip --python $(BIN)/python"; fi; \
	$$pip install --quiet --no-compile -c constraints.txt -e ".[$(EXTRAS)]" torch==2.13.0
	$(BIN)/python -c "import reelpatch.headless.editor"
	touch $@

$(VENV)/.headless: EXTRAS := headless
$(VENV)/.test: EXTRAS := headless,test,cluster
$(VENV)/.dev: EXTRAS := dev
