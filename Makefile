# Everything one does with this repository. The embedded cluster is used unless KUBECONFIG and REGISTRY
# name another one.

SHELL := /bin/bash
RUN   := e2e/run
# Most tests wait most of the time, so more of them than there are cores may run at once.
AT_ONCE := 8

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo up down status kubeconfig images deploy metrics test unit fuzz e2e e2e-long e2e-metrics lint bench soak gen gen-check

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

demo: deploy ## a cluster with Fermata, and a service that comes from zero, goes back, and is split
	@$(RUN) program demo

up: ## start the embedded cluster, or see whether yours answers
	@$(RUN) up

down: ## end the embedded cluster; only the cache stays
	@$(RUN) down

status: ## what runs
	@$(RUN) status

kubeconfig: ## path of the kubeconfig: export KUBECONFIG=$(make -s kubeconfig)
	@$(RUN) kubeconfig

images: up ## build the images and push them to the cluster's registry
	@$(RUN) images

deploy: images ## install Fermata, or bring it up to date
	@$(RUN) deploy

test: lint unit fuzz gen-check e2e ## everything that must pass

unit: ## tests that need no cluster
	@cargo test --workspace --exclude e2e
	@cargo test -p e2e --lib

fuzz: ## routes, headers and probes made up at random, for a minute; FUZZ_SECONDS is for each of four
	@FUZZ_SECONDS=$${FUZZ_SECONDS:-15} cargo test -p net --test fuzz -- --nocapture --test-threads=1
	@FUZZ_SECONDS=$${FUZZ_SECONDS:-15} cargo test -p activator --lib fuzz_ -- --nocapture

e2e: deploy metrics ## tests on the cluster; the faults come last, and alone
	@$(RUN) test system --test-threads=$(AT_ONCE)
	@$(RUN) test faults --test-threads=1

e2e-long: deploy metrics ## tests that take their time, one by one: ONLY=name picks some of the half hour
	@$(RUN) test long --test-threads=1 --nocapture $(ONLY)

e2e-metrics: deploy ## a real Prometheus scrapes everything, and dashboards' queries get right values
	@$(RUN) test metrics --nocapture

metrics: up ## a metrics server, which the HPA class needs; yours must have one
	@$(RUN) metrics

lint: ## format and lints; no kube in the sidecar
	@cargo fmt --check
	@cargo clippy --workspace --all-targets -- -D warnings
	@! cargo tree -p queue-proxy -e normal | grep -w kube

# SECTIONS="cold warm" measures only these.
bench: deploy ## numbers beside those without us, for docs/performance.md
	@ENVOY_IMAGE=$$(e2e/envoy) $(RUN) program bench --write docs/performance.md $(SECTIONS)

# SOAK_MINUTES=4 is enough for three waves and four rollouts.
soak: deploy ## half an hour of waves, rollouts and dying pods: no request is lost that another pod could serve
	@$(RUN) program soak --minutes $${SOAK_MINUTES:-30}

gen: ## write the generated files: the CRDs
	@cargo run -q -p crds --bin crdgen

gen-check: ## see whether the generated files are what make gen writes
	@rm -rf target/crds && cargo run -q -p crds --bin crdgen target/crds
	@diff -r -x kustomization.yaml target/crds config/core/300-resources
