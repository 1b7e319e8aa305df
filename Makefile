# Short names for `cap`, the one host command (tools/cap). Nothing is decided here.
# On a fresh machine `make run` and `make test` install what is missing first, and say what.

FILTER ?= *
# Handed over by the environment: they may hold any character.
export FILTER CASE MATCH TYPE WITHIN SYSTEM
# The first build of `cap` takes a minute and says what it does; later ones are silent.
CAP := cargo run $(if $(wildcard target/debug/cap),--quiet) --package cap --

.DEFAULT_GOAL := run
.PHONY: setup setup-all run test check image build bench smoke list fmt lint clean up console assert reboot down prune cycle

setup:
	@tools/cap/setup.sh

# Also what only the tests need.
setup-all:
	@tools/cap/setup.sh --tests

run: setup
	@$(CAP) run $(if $(SYSTEM),--system "$$SYSTEM") $(ARGS)

test: setup-all
	@$(CAP) test $(STEPS)

check: setup
	@$(CAP) check

build image lint prune: setup
	@$(CAP) $@

bench: setup
	@$(CAP) bench "$$FILTER" $(if $(CHECK),--check)

smoke: setup
	@$(CAP) smoke "$$FILTER"

list: setup
	@$(CAP) list "$$FILTER"

# One case with all its sub-cases: make run-boot-paths
run-%: setup
	@$(CAP) smoke '$*'

# A machine by hand: make up CASE=x; make console; make assert MATCH='..' TYPE='help'; make down
up: setup
	@$(CAP) up $(if $(CASE),"$$CASE")

assert: setup
	@$(CAP) assert "$$MATCH" $(if $(TYPE),--type "$$TYPE") $(if $(WITHIN),--within "$$WITHIN")

console reboot down cycle: setup
	@$(CAP) $@

fmt: setup
	@cargo fmt --all

clean:
	@rm -rf target
