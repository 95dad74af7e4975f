# Evergate. "make demo" shows it, "make test" tests it; both do their own set-up
# and need only Go, make and git. "make help" lists the rest.

GO ?= go
# Version stamping asks git, which refuses in a clone that belongs to another user.
BUILDVCS := $(shell git status >/dev/null 2>&1 && echo auto || echo false)
export GOFLAGS := $(GOFLAGS) -buildvcs=$(BUILDVCS)
# The modules beside the main one: benchmarks and test programs with dependencies of their own.
MODULES := $(shell find . -mindepth 2 -name go.mod -not -path './.git/*' -exec dirname {} \; | sort)
# The race detector needs a C compiler; without one the tests run without it.
RACE = $(shell command -v $${CC:-gcc} >/dev/null 2>&1 && echo -race)
FUZZTIME ?= 10s
TIMEOUT ?= 14m

.DEFAULT_GOAL := build
.PHONY: help build demo test short race bench soak fuzz lint generate setup clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1: /p' $(MAKEFILE_LIST) | awk -F': ' '{printf "  make %-10s %s\n", $$1, $$2}'

build: ## bin/evergate
	$(GO) build -trimpath -o bin/evergate ./cmd/evergate

demo: build ## a failing hospital API, the door before it, and a stream of clients
	@bin/evergate demo

test: setup lint ## everything, with its own set-up; the summary names what was skipped
	@$(GO) run ./scripts/testreport $(RACE) -shuffle=on -timeout $(TIMEOUT) ./... $(MODULES)
	@echo "== once more without the race detector, with which allocations and fsyncs cannot be measured"
	@$(GO) run ./scripts/testreport -run 'Allocat|Of50Writers' -timeout $(TIMEOUT) ./internal/edge/... ./internal/cluster/...

short: ## the quick tests only, without race detector
	$(GO) test -short ./...

race: ## the tests of the main module with the race detector
	$(GO) test -race -shuffle=on -timeout $(TIMEOUT) ./...

bench: setup ## side by side with nginx, HAProxy, Caddy and httputil.ReverseProxy
	@cd bench && ./run

soak: ## servers killed and hung at random for ten minutes, Evergate killed 200 times while it writes
	EVERGATE_KILLS=200 $(GO) test -count=1 -v -run Kill -timeout 20m ./internal/cluster/store ./internal/cluster/setting
	EVERGATE_SOAK=1 $(GO) test -count=1 -v -run 'Kill|Of50Writers' -timeout 20m ./scenarios/storeloss
	EVERGATE_SOAK=10m $(GO) test $(RACE) -count=1 -v -timeout 30m ./scenarios/chaos

fuzz: ## every fuzz test for FUZZTIME (10s)
	@scripts/fuzz $(FUZZTIME)

lint: ## gofmt and vet, in all modules
	@scripts/lint $(MODULES)

generate: ## the reference of configuration, commands and levers, the JSON schema, the OpenAPI document
	$(GO) generate ./...

setup: ## on Debian as root, installs the servers that tests and benchmarks talk to
	@scripts/setup-debian

clean: ## what the other targets made
	rm -rf bin
	$(GO) clean -testcache
