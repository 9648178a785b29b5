# Every target is one line; `make help` lists them.
GO ?= go
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo -E env PATH="$$PATH")
NFPM := github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.43.1
LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.6.2

.PHONY: help build package check test units machine wire sim endure demo bench lint fuzz clean
.DEFAULT_GOAL := help

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

build: ## build bin/lvsd, a static program
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w" -o bin/lvsd ./cmd/lvsd

package: build ## bin/lvsd_*.deb and bin/lvsd-*.rpm
	GO=$(GO) dist/package.sh "$(GO) run $(NFPM)"

check: ## the quick part of the tests, about four minutes: vet and unit tests
	@echo "make check leaves out what needs root, a wire or a virtual machine: make test runs it"
	$(GO) vet ./... && $(GO) test -short ./...

test: ## everything, from unit tests to clusters in the virtual machine
	$(GO) vet ./... && $(GO) run ./e2e/needs && $(MAKE) -j2 -O units machine && $(MAKE) wire

units: # of test: what the clock of a busy machine does not disturb, beside machine
	$(SUDO) $(GO) test -p 1 $$($(GO) list ./... | grep -v /e2e) && $(SUDO) $(GO) test -count=1 -v -p 1 $$($(GO) list ./e2e/... | grep -v -e e2e/lvs -e e2e/vrrp)

machine: # of test: the virtual machine, whose time is its own
	$(SUDO) $(GO) test -count=1 -v -timeout 30m ./e2e/lvs

wire: # of test: what measures adverts, alone
	$(SUDO) $(GO) test -count=1 -v -timeout 30m ./e2e/vrrp

sim: ## SEEDS simulated clusters of VRRP routers (300000) on all processors, the first one FIRST (1)
	GOGC=400 $(GO) test ./vrrp/sim -count=1 -v -timeout 0 -run 'TestSimulation$$' -sim.seeds=$(or $(SEEDS),300000) -sim.first=$(or $(FIRST),1)

endure: ## ROUNDS (1000) of reloads under traffic and of kill -9, ten times as many of other reloads; SEED replays a failure
	$(GO) run ./e2e/needs && $(SUDO) $(GO) test ./supervisor -count=1 -v -timeout 0 -run ReloadsLeaveNothing -endure.reloads=$$(($(or $(ROUNDS),1000) * 10)) && $(SUDO) $(GO) test -p 1 -count=1 -v -timeout 5h ./e2e/vrrp ./e2e/lvs -run Endure -endure.rounds=$(or $(ROUNDS),1000) -endure.seed=$(or $(SEED),0)

demo: ## a two-director cluster, failing over before your eyes
	$(SUDO) $(GO) run ./e2e/demo

bench: ## keepalived and lvsd on the same work, in one run, with the ratio; PART="lvs 100x4" is one part of it
	$(GO) run ./e2e/needs && $(SUDO) $(GO) run ./e2e/bench $(PART)

lint: ## golangci-lint with the import rules
	$(GO) run $(LINT) run

fuzz: ## thirty seconds for each fuzz target
	./e2e/fuzz.sh

clean: ## remove what was built
	rm -rf bin
