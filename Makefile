# Two commands: `make demo` and `make test`. `make help` lists the rest.
SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

LANE   := sh internal/setup/lane.sh
TOOLS  := build/tools
GOLANGCI_VERSION    := v2.15.0
GOVULNCHECK_VERSION := v1.9.0
CFLAGS ?= -O2 -g
TAGS := endtoend forensic bench

# Packages whose tests place calls in real time run beside each other; what
# measures memory or time runs alone, in targets of its own.
LIVE   := lethe/cmd/lethe lethe/conversation lethe/internal/caller lethe/sip lethe/transcribe/sphinx
TIMED  := lethe/media
QUIET   = $(filter-out $(LIVE) $(TIMED),$(shell go list ./...))

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- what is needed ---------------------------------------------------------

.PHONY: go setup-demo setup-test setup-check
go:
	@sh internal/setup/go.sh
setup-demo setup-test setup-check: setup-%: go
	@sh internal/setup/install.sh $*

# --- building ---------------------------------------------------------------

.PHONY: build binary
build: setup-demo binary ## build lethe and its helpers into build/
binary: build/lethe-sphinx build/lethe-flite
	@CGO_ENABLED=0 go build -trimpath -o build/lethe ./cmd/lethe

build/lethe-sphinx: $(wildcard transcribe/sphinx/helper/*.c transcribe/sphinx/helper/*.h)
	@mkdir -p build
	@echo "building $@"
	@gcc $(CFLAGS) -Wall -Wextra -Wl,-z,relro,-z,now -o $@ $(filter %.c,$^) $$(pkg-config --cflags --libs pocketsphinx sphinxbase) -lm
build/lethe-flite: $(wildcard agent/flite/helper/*.c agent/flite/helper/*.h)
	@mkdir -p build
	@echo "building $@"
	@gcc $(CFLAGS) -Wall -Wextra -o $@ $(filter %.c,$^) \
		-lflite_cmu_us_slt -lflite_cmu_us_rms -lflite_cmu_us_awb -lflite_cmu_us_kal16 -lflite_cmu_us_kal \
		-lflite_usenglish -lflite_cmulex -lflite -lm

# --- using ------------------------------------------------------------------

.PHONY: demo run clean
demo: build ## a real call to a real server, and the proof that its audio is gone
	@build/lethe demo
run: build ## start lethe with its embedded defaults on 127.0.0.1:5060
	@build/lethe serve --config configs/quickstart.yaml
clean: ## delete what was built
	rm -rf build

# --- testing ----------------------------------------------------------------
# A lane has a name, a limit and a command; internal/setup/lane.sh prints its
# time. `make test` and `make check` are lists of lanes.

.PHONY: test check
test: ## what a newcomer runs: at most 20 minutes cold on two cores
	@$(call timed,20)
check: ## test, the slow lanes, lint and vulnerabilities: at most 60 minutes
	@$(call timed,60)

# timed runs $@-lanes within so many minutes and says how long it took.
timed = began=$$(date +%s); timeout --foreground $(1)m $(MAKE) $@-lanes; status=$$?; \
	took=$$(( $$(date +%s) - began )); \
	if [ $$status -eq 0 ]; then echo "$@ passed in $$took s (limit $(1) min)"; \
	else echo "$@ FAILED after $$took s (limit $(1) min)"; fi; exit $$status

.PHONY: test-lanes check-lanes
test-lanes: setup-test binary
	@$(MAKE) -k -j 2 lane-vet lane-unit
	@$(MAKE) -k lane-live
	@$(MAKE) -k -j 2 lane-peers lane-readme
	@$(MAKE) -k lane-timing lane-proof
check-lanes: setup-check test-lanes
	@$(MAKE) -k -j 2 lane-lint lane-vuln
	@$(MAKE) -k -j 2 lane-endtoend lane-demo
	@$(MAKE) -k lane-hundred
	@$(MAKE) -k lane-fuzz
	@LANE_SHOW=1 $(MAKE) lane-forensic
	@LANE_SHOW=1 $(MAKE) lane-bench BENCH=-short

.PHONY: lane-vet lane-unit lane-live lane-timing lane-peers lane-readme lane-proof lane-forensic lane-bench lane-endtoend lane-hundred lane-demo lane-lint lane-vuln lane-fuzz
lane-vet:
	@$(LANE) vet 5m go vet -tags '$(TAGS)' ./...
lane-unit:
	@$(LANE) unit 15m go test -race -timeout 14m $(QUIET)
lane-live:
	@$(LANE) live 8m go test -race -timeout 7m $(LIVE)
lane-timing:
	@$(LANE) timing 5m go test -race -p 1 -timeout 4m $(TIMED)
lane-peers:
	@$(LANE) peers 5m go test -tags endtoend -timeout 4m -count 1 -v -run Peer ./internal/endtoend
lane-readme:
	@$(LANE) readme 5m go test -tags endtoend -timeout 4m -count 1 -v -run README ./internal/endtoend
lane-proof:
	@$(LANE) proof 10m go test -tags forensic -short -timeout 9m -count 1 -v ./internal/forensic
lane-endtoend:
	@$(LANE) endtoend 5m go test -tags endtoend -timeout 4m -count 1 -v -run 'Kill' ./internal/endtoend
lane-hundred:
	@$(LANE) hundred 5m go test -tags endtoend -timeout 4m -count 1 -v -run 'Hundred' ./internal/endtoend
lane-demo:
	@$(LANE) demo 6m build/lethe demo
lane-lint: $(TOOLS)/golangci-lint-$(GOLANGCI_VERSION)
	@$(LANE) lint 15m $< run ./...
lane-vuln: $(TOOLS)/govulncheck-$(GOVULNCHECK_VERSION)
	@$(LANE) vuln 5m sh internal/setup/vuln.sh $<
lane-fuzz:
	@$(LANE) fuzz 10m sh internal/setup/fuzz.sh 20s

.PHONY: lint fuzz forensic bench
lint: setup-check lane-vet lane-lint lane-vuln ## go vet, golangci-lint, govulncheck
fuzz: setup-check lane-fuzz ## every fuzz target for 20 s each
forensic: setup-test binary ## the proof: search memory, files and cores for a caller's audio
	@LANE_SHOW=1 $(MAKE) lane-forensic
bench: setup-test binary ## the speed table, and build/bench.json
	@LANE_SHOW=1 $(MAKE) lane-bench
lane-forensic:
	@$(LANE) forensic 25m go test -tags forensic -timeout 24m -count 1 -v ./internal/forensic
lane-bench:
	@$(LANE) bench 30m go test -tags bench $(BENCH) -timeout 29m -count 1 -v ./internal/bench

# Tools are built from pinned versions by the Go module proxy.
$(TOOLS)/golangci-lint-$(GOLANGCI_VERSION):
	@GOBIN=$(CURDIR)/$(TOOLS) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	@mv $(TOOLS)/golangci-lint $@
$(TOOLS)/govulncheck-$(GOVULNCHECK_VERSION):
	@GOBIN=$(CURDIR)/$(TOOLS) go install golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION)
	@mv $(TOOLS)/govulncheck $@
