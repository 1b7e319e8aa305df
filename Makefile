# Short names for `cap`, the one host command (tools/cap). Nothing is decided here.
# On a fresh machine `make run` and `make test` install what is missing first, and say what.

FILTER ?= *
# Handed over by the environment: they may hold any character.
export FILTER CASE MATCH TYPE WITHIN SYSTEM DEVICE IOMMU DISK2
# The first build of `cap` takes a minute and says what it does; later ones are silent.
CAP := cargo run $(if $(wildcard target/debug/cap),--quiet) --package cap --

.DEFAULT_GOAL := run
.PHONY: help setup setup-all setup-gdb run test check image build bench smoke list fmt lint clean up console gdb assert reboot down prune cycle

help: ## this list
	@sed -n 's/^\([a-z%][-a-z% ]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | awk -F '\t' '{ printf "%-10s %s\n", $$1, $$2 }'

setup: ## install what building and running needs
	@tools/cap/setup.sh

setup-gdb: ## the same, and the debugger
	@tools/cap/setup.sh --gdb

setup-all: ## the same, and what only the tests need
	@tools/cap/setup.sh --tests

run: setup ## boot to a shell in this terminal, with the disk that disk.img keeps; SYSTEM=diag, DISK2=other.img, DEVICE=virtio-rng-pci, IOMMU=intel, ARGS="--uefi --cpus 4"
	@$(CAP) run $(if $(SYSTEM),--system "$$SYSTEM") $(if $(DISK2),--disk2 "$$DISK2") $(if $(DEVICE),--device "$$DEVICE") $(if $(IOMMU),--iommu "$$IOMMU") $(ARGS)

test: setup-all ## the whole gate, or STEPS="fmt lint"
	@$(CAP) test $(STEPS)

check: setup ## the quick part of the gate
	@$(CAP) check

build: setup ## check system.cue; build kernel, loader and programs

image: setup ## make the ISO and the raw disk

lint: setup ## the house lints, system.cue included

prune: setup ## remove old runs of the lab

build image lint prune:
	@$(CAP) $@

bench: setup ## measure; FILTER="size.*", CHECK=1 compares only
	@$(CAP) bench "$$FILTER" $(if $(CHECK),--check)

smoke: setup ## lab cases; FILTER="shell-*", HOLD=1, SEED=7
	@$(CAP) smoke "$$FILTER"

list: setup ## names of lab cases; FILTER="shell-*"
	@$(CAP) list "$$FILTER"

# One case with all its sub-cases: make run-boot-paths
run-%: setup ## one lab case with all its variants: make run-boot-images
	@$(CAP) smoke '$*'

# A machine by hand: make up CASE=x; make console; make assert MATCH='..' TYPE='help'; make down
up: setup ## start a machine and leave it running; CASE=boot-memory
	@$(CAP) up $(if $(CASE),"$$CASE")

assert: setup ## wait until its serial port says MATCH; TYPE="help", WITHIN=10s
	@$(CAP) assert "$$MATCH" $(if $(TYPE),--type "$$TYPE") $(if $(WITHIN),--within "$$WITHIN")

console: setup ## attach this terminal to that machine

# A job of its own at the terminal: Ctrl-C stops the machine for gdb, and must not end make.
gdb: setup-gdb ## attach a debugger to that machine, with symbols and `capos` commands
	@test ! -t 0 || set -m; $(CAP) gdb; exit $$?

reboot: setup ## pull its reset line

down: setup ## end it

cycle: setup ## end it, and start it again with a fresh build

console reboot down cycle:
	@$(CAP) $@

fmt: setup ## format the sources
	@cargo fmt --all

clean: ## remove everything built
	@rm -rf target
