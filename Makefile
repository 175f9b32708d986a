# Two commands to know: `make run` and `make test`. The rest is for people who work on SeedCore.
SHELL := /bin/sh
JOBS ?= $(shell nproc)
# Warnings are errors, in continuous integration and by hand alike: one cache serves both. WERROR=OFF for other compilers.
WERROR ?= ON
FUZZ_SECONDS ?= 60
FUZZ_SEED ?= 0
# Rooms whose suites run with sanitizers, for example "net store"; empty: all of them, and the suites that cross rooms.
ASAN_ROOMS ?=
TSAN_ROOMS ?=
SEEDS ?= 10000
KILLS ?= 200
CUTS ?= 500
TASKS ?= 10000
# For example: make bench BENCH_ARGS=--quick
BENCH_ARGS ?=
CTEST_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run demo test build format lint bench bench-queue bench-ray asan tsan fuzz compile-asan compile-tsan compile-fuzz sim kill chaos powerloss clean packages packages-ci docs \
  ray ray-lock test-ray wheel lint-python ray-demo ray-stop

help:  ## This list
	@sed -n 's/^\([a-z-]*\):.*##/\1\t/p' $(MAKEFILE_LIST) | expand -t 14

packages:
	@scripts/install-packages packages.txt

packages-ci: packages
	@scripts/install-packages packages-ci.txt

build: packages  ## Build the release: build/release/bin/seedcore
	@cmake --preset release -DSEEDCORE_WERROR=$(WERROR) >build-configure.log 2>&1 || { cat build-configure.log; exit 1; }
	@rm -f build-configure.log
	@cmake --build --preset release -j $(JOBS)

run: build  ## Start the platform, run the example, report, serve until Ctrl-C
	@build/release/bin/seedcore demo --serve

demo: build  ## The same, but exit after the report (non-zero if a task failed)
	@build/release/bin/seedcore demo

test: build  ## Build, then run every suite
	@ctest --preset release -j $(JOBS) $(CTEST_ARGS)

format: packages-ci  ## Format all C++
	@git ls-files '*.h' '*.cc' | xargs clang-format-19 -i

lint: packages-ci lint-python  ## Check the format of all C++, then clang-tidy over all but tests, as far as changed; and all Python
	@git ls-files '*.h' '*.cc' | xargs clang-format-19 --dry-run --Werror
	@cmake --preset clang -DSEEDCORE_WERROR=$(WERROR) >/dev/null
	@cmake --build --preset clang -j $(JOBS) --target seedcore_pch seedcore_ray_client_messages
	@scripts/lint-cpp build/clang $(JOBS)

bench: packages-ci build  ## Run the benchmarks and write build/bench/report.md
	@bench/run $(BENCH_ARGS)

bench-queue: packages-ci build  ## Measure the queue beside River, graphile-worker, pg-boss and Celery
	@bench/queue/install-peers build/bench/queue
	@bench/queue/run $(BENCH_ARGS)

bench-ray: packages-ci build wheel  ## Measure Serve, the gateway and the direct lane on Ray heads beside the embedded server
	@build/ray-venv/bin/python bench/ray $(BENCH_ARGS)

compile-asan: ROOMS = $(ASAN_ROOMS)
compile-tsan: ROOMS = $(TSAN_ROOMS)
compile-asan compile-tsan: compile-%: packages-ci
	@cmake --preset $* -DSEEDCORE_WERROR=$(WERROR) >/dev/null
	@cmake --build --preset $* -j $(JOBS) $(if $(ROOMS),--target $(ROOMS:%=%_test))

compile-fuzz: packages-ci
	@cmake --preset fuzz >/dev/null
	@cmake --build --preset fuzz -j $(JOBS) --target fuzzers

empty :=
space := $(empty) $(empty)
SANITIZED = -j $(JOBS) -LE "slow|ray" $(if $1,-R "^($(subst $(space),|,$(strip $1)))\.") $(CTEST_ARGS)

asan: compile-asan  ## Unit suites (of ASAN_ROOMS) under AddressSanitizer and UBSan
	@ctest --preset asan $(call SANITIZED,$(ASAN_ROOMS))

tsan: compile-tsan  ## Unit suites (of TSAN_ROOMS) under ThreadSanitizer
	@ctest --preset tsan $(call SANITIZED,$(TSAN_ROOMS))

fuzz: compile-fuzz  ## Run each fuzzer for FUZZ_SECONDS (60), on inputs of its own or those of FUZZ_SEED
	@scripts/run-fuzzers build/fuzz/bin $(FUZZ_SECONDS) $(FUZZ_SEED)

sim: build  ## Simulate dispatch under faults with SEEDS (10000) seeds
	@build/release/bin/simulate --seeds $(SEEDS)

kill: build  ## Kill the dispatching process KILLS (200) times on each store, then pause it past its leases
	@build/release/bin/kill_test build/release/bin/kill_worker build/kill-data $(KILLS)
	@build/release/bin/kill_test build/release/bin/kill_worker postgresql $(KILLS)
	@build/release/bin/pause_test build/release/bin/kill_worker build/pause-data
	@build/release/bin/pause_test build/release/bin/kill_worker postgresql

chaos: build  ## Restart PostgreSQL every 3 s under TASKS (10000) tasks, behind a network that cuts and delays; fill its disks
	@build/release/bin/chaos_test $(TASKS) 3000
	@build/release/bin/disk_full_test 5 || [ $$? -eq 77 ]

powerloss: build  ## Cut the power of the SQLite store CUTS (500) times
	@build/release/bin/powerloss_test build/powerloss-data $(CUTS)

build/ray-venv/.installed: deploy/ray/requirements.lock
	@scripts/install-packages packages-ray.txt
	@python3 -m venv --clear build/ray-venv
	@build/ray-venv/bin/pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r $<
	@touch $@

ray: build/ray-venv/.installed  ## Ray 2.60 in a virtual environment of its own, build/ray-venv

ray-lock:  ## Write deploy/ray/requirements.lock anew from requirements.in
	@python3 -m venv build/lock-venv && build/lock-venv/bin/pip install --quiet --disable-pip-version-check uv
	@build/lock-venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  deploy/ray/requirements.in -o deploy/ray/requirements.lock
	@build/lock-venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  -c deploy/ray/requirements.lock python/requirements-dev.in -o python/requirements-dev.lock

build/ray-venv/.installed-dev: python/requirements-dev.lock build/ray-venv/.installed
	@build/ray-venv/bin/pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r $<
	@touch $@

wheel: packages build/ray-venv/.installed-dev  ## The engine as a Python wheel: build/wheel, installed into build/ray-venv
	@command -v cargo >/dev/null || scripts/install-packages packages-wheel.txt
	@CMAKE_BUILD_PARALLEL_LEVEL=$(JOBS) scripts/build-wheel build/ray-venv build/wheel -C cmake.define.SEEDCORE_WERROR=$(WERROR)
	@build/ray-venv/bin/pip install --quiet --disable-pip-version-check --no-deps --force-reinstall build/wheel/seedcore-*.whl

# Every file of Python, and every program that says it is one.
PYTHON = $(shell git ls-files '*.py' '*.pyi'; git grep -lE '^\#!.*python3' -- ':!*.py')

lint-python: build/ray-venv/.installed-dev  ## ruff over all Python, mypy --strict over all but what generates test data
	@build/ray-venv/bin/ruff check $(PYTHON)
	@build/ray-venv/bin/ruff format --check $(PYTHON)
	@scripts/type-check build/ray-venv

ray-demo: build wheel  ## A Ray head on this host with the six services, and the example through them
	@build/ray-venv/bin/python scripts/ray-demo start

ray-stop:  ## Stop that head
	@python3 scripts/ray-demo stop

test-ray: build ray wheel  ## The suites that need a Ray cluster, each on a head of its own
	@ctest --preset ray $(CTEST_ARGS)

docs: build  ## Write docs/settings.md and docs/api.md from the code
	@build/release/bin/seedcore docs --out docs

clean:  ## Remove everything built
	@rm -rf build
