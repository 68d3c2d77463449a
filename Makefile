# Run `make` for what there is. Needs Python 3.11 to 3.13, on a 64-bit Linux; everything else is fetched by pip.

# The first Python that will do; or name one: make watch PYTHON=/usr/bin/python3.12
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2> /dev/null && exec echo $$python; \
	done; echo python3)
# tflite-runtime exists for Python 3.11 alone.
PYTHON311 ?= $(shell for python in $(PYTHON) python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2> /dev/null && exec echo $$python; done)
UV ?= uv
# For `make test` and `make bench`: what pytest is told, e.g. make test PYTEST="tests/edge_runtime -x"
PYTEST ?=

LOCK := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	$(if $(UPGRADE),--upgrade)

help:
	@echo 'make watch            answer the radiographs in incoming/ as they come, until Ctrl-C (first with samples)'
	@echo 'make watch ONCE=1     answer those that are there, then end'
	@echo 'make test             set up what the whole suite needs and pass it: ruff, mypy, pytest'
	@echo '                      EDGE_PNEUMO_DATA=.../chest_xray adds the tests on the published data set'
	@echo 'make test-arm64       the device wheel as Raspberry Pi 4 and 5, emulated; needs qemu-user-static and mmdebstrap'
	@echo 'make card             the model card in docs/, from its figures; EDGE_PNEUMO_DATA=.../chest_xray measures them'
	@echo 'make bench            latencies on this machine'
	@echo 'make deb              the Debian packages for arm64 and amd64, in dist/; ARCHITECTURE=arm64 builds that one alone'
	@echo 'make lock             write requirements/*.txt anew from pyproject.toml; UPGRADE=1 takes newer versions'
	@echo 'make clean            remove environments, caches and builds; never incoming/ or results'

# With a terminal the program gets a process group of its own (set -m): Ctrl-C then reaches it and not make, which
# would report the clean end as an interruption.
watch: .venv
	@mkdir -p incoming
	@for sample in samples/*.png; do \
		test -e "incoming/$${sample##*/}" || cp "$$sample" incoming/ || exit; done
	@if test -t 0; then set -m; fi; .venv/bin/edge-pneumo watch incoming $(if $(ONCE),--once)

test: .venv .venv-test $(if $(PYTHON311),.venv-tflite-runtime)
	.venv-test/bin/ruff check .
	.venv-test/bin/mypy
	.venv-test/bin/pytest $(PYTEST)

# What `make test` has of it, and the full model; what is missing here is an error.
test-arm64: .venv-test
	EDGE_PNEUMO_ARM64=thorough .venv-test/bin/pytest --durations=10 tests/arm64 $(PYTEST)

# RUN names the folder of the training that made the bundle, for its recipe and validation images.
card: .venv-test
	@.venv-test/bin/python -m convert.card --bundle full --failures card/failures-full.png $(if $(RUN_FULL),--run "$(RUN_FULL)")
	@.venv-test/bin/python -m convert.card $(if $(RUN),--run "$(RUN)")

bench: .venv-bench
	.venv-bench/bin/pytest --benchmark $(PYTEST)

deb:
	@$(PYTHON) -m tools.deb $(if $(ARCHITECTURE),--architecture $(ARCHITECTURE))

.venv:
	@$(PYTHON) tools/environment.py $@ requirements/runtime.txt

.venv-bench:
	@$(PYTHON) tools/environment.py $@ requirements/bench.txt

.venv-test:
	@$(PYTHON) tools/environment.py $@ requirements/test.txt

.venv-tflite-runtime:
	@$(PYTHON311) tools/environment.py $@ requirements/tflite-runtime.txt

lock:
	@command -v $(UV) > /dev/null || { echo 'error: make lock needs uv; install it with `pip install uv`.' >&2; exit 1; }
	$(LOCK) --group pyproject.toml:build --output-file requirements/build.txt
	$(LOCK) pyproject.toml --output-file requirements/runtime.txt
	$(LOCK) pyproject.toml --extra pi --output-file requirements/pi.txt
	$(LOCK) pyproject.toml --extra bench --output-file requirements/bench.txt
	$(LOCK) pyproject.toml --extra test --output-file requirements/test.txt
	$(LOCK) pyproject.toml --extra tflite-runtime --override requirements/no-ai-edge-litert.txt \
		--output-file requirements/tflite-runtime.txt

clean:
	rm -rf .venv .venv-bench .venv-test .venv-tflite-runtime .mypy_cache .pytest_cache .ruff_cache .hypothesis dist build
	find edge_runtime train convert tests benchmarks tools -name __pycache__ -type d -prune -exec rm -rf {} +

# The environments too: tools/environment.py knows in a moment whether there is anything to do.
.PHONY: help watch test test-arm64 card bench deb lock clean .venv .venv-bench .venv-test .venv-tflite-runtime
