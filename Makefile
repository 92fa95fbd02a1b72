# The targets of the project; `make help` lists them.
GO      ?= go
BIN     ?= bin
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS := -s -w -X github.com/flowrepro/flow/cmd.Version=$(VERSION)
FUZZTIME ?= 30s

.PHONY: help build test race lint bench fuzz interop cross notices clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "%-10s %s\n", $$1, $$2}'

build: ## build the flow binary into bin/
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/flow ./cmd/flow

test: ## run all tests
	$(GO) test ./...

race: ## run all tests with the race detector
	GORACE=atexit_sleep_ms=10 $(GO) test -race -timeout 20m ./...

lint: ## check formatting and run the linters (golangci-lint v2)
	@test -z "$$(gofmt -l .)" || { gofmt -l .; exit 1; }
	$(GO) vet ./...
	golangci-lint run ./...

bench: build ## run the benchmark programs (see bench/README.md)
	bench/run

fuzz: ## run every fuzz target for FUZZTIME (a time, or a number of inputs: 2000x)
	@for pkg in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "$$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
	  done; done

interop: build ## run the suites against real DVC (set FLOW_TEST_DVC to its executable)
	interop/run

cross: ## build for every supported platform
	@for os in linux darwin windows; do for arch in amd64 arm64; do \
	  echo "$$os/$$arch"; CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch $(GO) build -o /dev/null ./cmd/flow || exit 1; \
	done; done

notices: ## write THIRD_PARTY.md
	$(GO) -C tools run ./thirdparty -root "$(CURDIR)" > THIRD_PARTY.md

clean: ## remove what the targets made
	rm -rf $(BIN) dist
