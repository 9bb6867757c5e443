# Regulars. `make demo` shows it, `make test` checks it, `make help` lists the rest.
#
# Every target builds .venv from the lock first; PYTHON=/path/to/python3.11 names another interpreter.
# EXIT=1, PORT, INBOX_PORT, INBOX_SMTP_PORT, ONLY and SIZE are handed on to the commands that know them.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help demo test check bench chaos serve shell reset stop pictures venv venv-dev

PYTHON ?=
VENV_PYTHON := .venv/bin/python
MANAGE := $(VENV_PYTHON) manage.py
SIZE ?= full

# Run a Python script with the first interpreter that is new enough; if none is, with the one named, whose answer says so.
define with_python
@for candidate in $(if $(PYTHON),"$(PYTHON)",python3 python3.11 python3.12 python3.13 python3.14 python); do \
    if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then exec "$$candidate" $(1); fi; \
done; \
found=`$(if $(PYTHON),"$(PYTHON)",python3) --version 2>&1 | grep ^Python || echo none called $(if $(PYTHON),$(PYTHON),python3)`; \
echo "Regulars needs Python 3.11 or newer; found: $$found. Install it, or name one: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 1
endef

help: ## list every target
	@sed -n 's/^\([a-z][a-z-]*\):[^#]*## \(.*\)$$/  make \1	\2/p' Makefile | expand -t 16

demo: venv ## the demo on http://127.0.0.1:8000, logins printed, until Ctrl-C (EXIT=1: end after the campaign; PORT, INBOX_PORT, INBOX_SMTP_PORT)
	@$(MANAGE) demo $(if $(EXIT),--exit)

test: venv-dev ## everything: format, lint, types, templates, migrations, API schema, tests, browser
	@REGULARS_HOME="$${REGULARS_HOME:-.local/test}" $(VENV_PYTHON) -m tests

check: venv-dev ## the fast part of test: format, lint, floors, types, and the tests of rules
	@REGULARS_HOME="$${REGULARS_HOME:-.local/test}" $(VENV_PYTHON) -m tests --fast

bench: venv-dev ## measure beside the references, write benchmarks/results.json (ONLY=name, SIZE=small)
	@REGULARS_HOME="$${REGULARS_HOME:-.local/bench}" $(VENV_PYTHON) -m benchmarks --size $(SIZE) $(if $(ONLY),--only $(ONLY))

chaos: venv-dev ## kill workers, broker and database under a campaign of 20,000 and under 1,000,000 operations on points, and count everything
	@REGULARS_HOME="$${REGULARS_HOME:-.local/chaos}" $(VENV_PYTHON) -m tests --chaos

serve: venv ## web server, worker, sender and beat on the data that is there
	@$(MANAGE) serve

shell: venv ## a Python shell with the product loaded
	@$(MANAGE) shell

stop: venv ## stop the embedded PostgreSQL and Valkey of the demo
	@$(MANAGE) stop_servers

reset: venv ## stop the servers and delete the demo's data (.local); asks for nothing
	@$(MANAGE) stop_servers
	@if [ -n "$$REGULARS_HOME" ]; then echo "REGULARS_HOME is set: its servers are stopped, and nothing was deleted. Delete $$REGULARS_HOME yourself."; \
	else rm -rf .local; echo "The data under .local is gone; make demo starts anew."; fi

pictures: venv-dev ## take the documents' screenshots from the running demo, with Chromium
	@$(VENV_PYTHON) -m tests.demo.pictures

venv:
	$(call with_python,config/bootstrap.py requirements.txt)

venv-dev:
	$(call with_python,config/bootstrap.py requirements-dev.txt)
