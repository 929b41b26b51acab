# Two commands do it all: `make run` and `make test`.
GO ?= go
T  ?= 30s

SHELL := bash
.SHELLFLAGS := -o pipefail -c

.PHONY: help run build test check unit fmt vet arch deps install prove prove-tests fuzz bench bench-balancers bench-cluster bench-large bench-overload

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

run: build ## build and start the single server on http://127.0.0.1:8090
	bin/pando serve

build: ## leave the binary in bin/pando
	@mkdir -p bin
	$(GO) build -o bin/pando ./cmd/pando

test: install fmt vet ## everything, as CI runs it: installs what is missing first
	GO=$(GO) bash test/all.sh

check: fmt vet unit ## the quick gate: format, vet, layers, all unit tests with -race

# Vetted before. Those that take longest begin, so that none of them is left over at the end.
unit:
	$(GO) test -vet=off -race -shuffle=on -timeout 15m \
	  ./internal/store/postgres ./server ./internal/cluster ./internal/store/sqlite ./internal/lb ./internal/localcluster \
	  $$($(GO) list ./... | grep -v -e /test/ -e /bench/peers)

fmt:
	@out=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$out" || { echo "run gofmt -w on:"; echo "$$out"; exit 1; }

vet:
	$(GO) vet ./...

install: ## what the tests need: Debian packages, npm packages
	bash test/install.sh

prove: ## the long forms of the tests that have a short one, and the benchmarks of a cluster with their goals; some hours
	@$(MAKE) -k bench-cluster prove-tests # a goal that is missed does not keep the rest from being known

prove-tests:
	PANDO_PROVE=1 $(GO) test -p 1 -count=1 -timeout 8h $$(git grep -l PANDO_PROVE -- '*_test.go' | sed 's|[^/]*$$||; s|^|./|' | sort -u)

fuzz: ## every fuzz target in turn, T=30s each
	@for pkg in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "$$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(T) $$pkg || exit 1; \
	  done; done

bench: build ## Pando, PocketBase and a bare handler side by side; see bench/README.md
	$(GO) run ./bench/cmd/pandobench

bench-cluster: ## three servers, PostgreSQL with replicas and cache servers: the figures of docs/guarantees.md; fails if one misses its goal
	@build="commit $$(git describe --always --dirty --abbrev=7), $$(date -u '+%F %R') UTC, $$(nproc) processors"; \
	{ echo "$$build"; \
	  $(GO) test -run '^$$' -bench '^Benchmark(Valid|Hit)' -benchmem -count 3 ./internal/position ./internal/store/cached && \
	  $(GO) test -run '^$$' -bench . -benchtime 1x -count 3 -timeout 60m ./bench/cluster; \
	} | grep -E '^(commit|goos|goarch|pkg|cpu|Benchmark|ok|FAIL)' | $(GO) run ./bench/cmd/goals | tee bench/results/cluster.txt

bench-balancers: build ## pando lb beside HAProxy, which it says how to install; 5 minutes
	$(GO) run ./bench/cmd/balancers

bench-overload: build ## a server that is asked for three times more than it can do; 5 minutes
	$(GO) run ./bench/cmd/overload

bench-large: build ## the same work on 10,000,000 records
	$(GO) run ./bench/cmd/pandobench -large

deps: ## write the packages that the binary is made of to deps.txt
	GOOS=linux GOARCH=amd64 CGO_ENABLED=0 $(GO) list -deps ./cmd/pando | \
	  grep '^[^/]*\.' | grep -v '^$(shell $(GO) list -m)' | LC_ALL=C sort > deps.txt
