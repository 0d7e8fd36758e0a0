# The front door. Everything is done by infra/local, which needs only python3; each target is one line here.
PYTHON ?= python3
RUN = $(PYTHON) -m infra.local
.DEFAULT_GOAL := help
.PHONY: help demo smoke up test check pipeline docs loop source-check train bench ledger-check manage mutants fuzz openapi locks stop

help: ## all targets, one line each
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):[^#]*## (.*)/  make \1|\2/' | awk -F'|' '{printf "%-22s %s\n", $$1, $$2}'

demo: ## a whole marketplace on this machine: needs python3 only; Ctrl-C stops all of it
	@$(RUN) demo

smoke: ## as demo, but checks every address and one whole journey, stops, exits 0 or 1
	@$(RUN) smoke

up: ## as demo, on MariaDB and Redis (services profile)
	@$(RUN) up

test: ## environment, test servers, every suite, one summary (SUITE="dbt" for some of them)
	@$(RUN) test $(SUITE)

check: ## lint, types, import contracts, migrations, OpenAPI and type drift, dbt parse, frontend
	@$(RUN) check

pipeline: ## one extract → dbt → audit → publish → score round (ENGINE=spark: then the same models on Spark, compared row by row)
	@$(RUN) pipeline

loop: ## marts that follow the database all day (services profile; `make up` starts it too; Ctrl-C stops it)
	@$(RUN) loop

source-check: ## source contracts and freshness inside the operational database (MariaDB), before it is extracted
	@$(RUN) source-check

docs: ## dbt's site and the catalogue of metrics as files in var/docs; needs no network
	@$(RUN) docs

train: ## train, evaluate and gate the models; says what was promoted and why
	@$(RUN) train

bench: ## benchmarks (NAME=ledger for one); writes var/bench/<name>.json
	@$(RUN) bench $(NAME)

ledger-check: ## every money invariant over the whole database (ARGS=--allow-empty)
	@$(RUN) ledger-check

manage: ## a management command in the profile's database (ARGS="import_job_posts FILE.csv")
	@$(RUN) manage

mutants: ## break the code on purpose; fails if the tests named for a mutant stay green (NAME=… for one, NAME=generated for mutmut's)
	@$(RUN) mutants $(NAME)

openapi: ## write webapp/openapi.yaml and the TypeScript types made from it
	@$(RUN) openapi

locks: ## compile requirements/*.txt from pyproject.toml
	@$(RUN) locks

fuzz: ## the whole API under 20,000 generated requests by every role (CASES=… SEED=…)
	@$(RUN) fuzz $(CASES) $(SEED)

stop: ## end stores of this checkout that an aborted command left running
	@$(RUN) stop
