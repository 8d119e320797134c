# Thin: what to type. The work is in CMakeLists.txt and tools/.
MAKEFLAGS += --no-print-directory
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
FILTER ?=
QUICK ?=

.PHONY: all demo test bench lint format bpf install windows install-windows test-windows clean help

all: ## build the library and the Lua module (build/release)
	@tools/install-missing build
	@cmake --preset release
	@cmake --build --preset release -j $(JOBS)

demo: ## update a program while it runs, with two installers
	@tools/install-missing demo
	@cmake --preset release > /dev/null
	@cmake --build --preset release -j $(JOBS) > /dev/null
	@tools/demo

test: ## everything, with sanitizers; FILTER=pattern picks specs by name
	@tools/install-missing test
	@FILTER='$(FILTER)' JOBS='$(JOBS)' tools/run-tests

bench: ## who finds the holders of files how fast: we, lsof, fuser, lsfd; QUICK=1: small and short
	@tools/install-missing bench
	@cmake --preset bench > /dev/null
	@cmake --build --preset bench -j $(JOBS) > /dev/null
	@tools/bench $(if $(QUICK),--quick)

lint: ## formatting, clang-tidy, luacheck, cppcheck, layers
	@tools/install-missing lint
	@JOBS='$(JOBS)' tools/run-lint

format: ## rewrite the C sources in the project's format
	@tools/install-missing lint
	@find src spec/c examples bench -name '*.[ch]' -print0 | xargs -0r clang-format -i

bpf: ## make src/os/linux/bpf/program.h again (needs clang)
	@tools/bpf-header

install: all ## install below PREFIX (/usr/local)
	@cmake --install build/release --prefix '$(abspath $(PREFIX))'

windows: ## build for 64-bit Windows with mingw-w64, with a Lua for it (build/windows)
	@tools/install-missing windows
	@tools/lua-for-windows
	@cmake --preset windows
	@cmake --build --preset windows -j $(JOBS)

install-windows: windows ## install that below PREFIX: Lua, the module, rstrtmgr.dll, the C library
	@cmake --install build/windows --prefix '$(abspath $(PREFIX))'

test-windows: ## the tests for Windows, under Wine; FILTER=pattern picks specs by name
	@tools/install-missing test-windows
	@FILTER='$(FILTER)' JOBS='$(JOBS)' tools/run-tests-windows

clean: ## remove what was built
	@rm -rf build build.luarocks

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' Makefile
