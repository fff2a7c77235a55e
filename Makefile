# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
# The front door: each goal works on a fresh clone, with nothing before it. Meson and Ninja do the work.

BUILD  ?= build
ASAN   ?= build-asan
TSAN   ?= build-tsan
STATIC ?= build-static
PREFIX ?= /usr/local
MESON  := meson
NINJA  := ninja

all: $(BUILD)/build.ninja
	@$(NINJA) -C $(BUILD) --quiet src/cli/ktap
	@echo "built $(BUILD)/src/cli/ktap (try: make demo, make test)"

# Installs by name what is missing, or says how to; takes no time when all is there.
setup:
	@tools/setup

setup-tests:
	@tools/setup tests

$(BUILD)/build.ninja: | setup
	@$(MESON) setup $(BUILD) --prefix=$(PREFIX) >/dev/null || { grep ERROR $(BUILD)/meson-logs/meson-log.txt; exit 1; }

$(ASAN)/build.ninja: | setup
	@$(MESON) setup $(ASAN) -Dbuildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false >/dev/null || \
		{ grep ERROR $(ASAN)/meson-logs/meson-log.txt; exit 1; }

$(TSAN)/build.ninja: | setup
	@$(MESON) setup $(TSAN) -Dbuildtype=debugoptimized -Db_sanitize=thread -Db_lundef=false >/dev/null || \
		{ grep ERROR $(TSAN)/meson-logs/meson-log.txt; exit 1; }

$(STATIC)/build.ninja: | setup
	@$(MESON) setup $(STATIC) -Dstatic=true -Doptimization=2 -Dtests=false -Ddwarf=disabled >/dev/null || { grep ERROR $(STATIC)/meson-logs/meson-log.txt; exit 1; }

demo: all
	@tools/demo $(BUILD)/src/cli/ktap

# Everything: unit tests and cases, released and sanitized, here and in a stock kernel in QEMU. The thread sanitizer's build makes what has threads.
test: setup-tests $(BUILD)/build.ninja $(ASAN)/build.ninja $(TSAN)/build.ninja $(STATIC)/build.ninja
	@$(NINJA) -C $(BUILD) --quiet
	@$(NINJA) -C $(ASAN) --quiet
	@$(NINJA) -C $(TSAN) --quiet races
	@$(NINJA) -C $(STATIC) --quiet
	@tests/suite $(BUILD) $(ASAN) $(TSAN) $(STATIC)

asan: $(ASAN)/build.ninja
	@$(NINJA) -C $(ASAN) --quiet
	@echo "built $(ASAN)/src/cli/ktap"

# One file that can be copied to any machine of this architecture.
static: $(STATIC)/build.ninja
	@$(NINJA) -C $(STATIC) --quiet src/cli/ktap
	@echo "built $(STATIC)/src/cli/ktap, $$(stat -c %s $(STATIC)/src/cli/ktap) bytes"

bench: all static
	@$(NINJA) -C $(BUILD) --quiet
	@tests/bench/trace --static $(STATIC)/src/cli/ktap $(BUILD)/src/cli/ktap $(BUILD)/tests/progs
	@tests/bench/vm $(BUILD)
	@tests/bench/tables $(BUILD)
	@tests/bench/script $(BUILD)
	@tests/bench/compile $(BUILD)/src/cli/ktap
	@if [ "$$(id -u)" = 0 ]; then tests/bench/replay $(BUILD)/src/cli/ktap $(BUILD)/tests/progs/calls; fi

# A PREFIX that is given counts, whatever the build was configured with.
install: all
	@$(if $(filter-out file,$(origin PREFIX)),$(MESON) configure $(BUILD) --prefix=$(PREFIX))
	@$(NINJA) -C $(BUILD) --quiet
	@$(MESON) install -C $(BUILD) --no-rebuild

clean:
	rm -rf $(BUILD) $(ASAN) $(TSAN) $(STATIC)

.PHONY: all setup setup-tests demo test asan static bench install clean
