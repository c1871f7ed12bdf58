# Every task in a line. "make" alone lists them.
.DEFAULT_GOAL := help
GO ?= go
export CGO_ENABLED ?= 0
GOFUMPT  := mvdan.cc/gofumpt@v0.12.0
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
# Packages in which goroutines share memory; they also run under the race detector.
CONCURRENT := ./clock ./queue ./crash ./drop ./room ./engine ./store ./outbox ./platform ./seal ./protocol/... ./web/look ./rail/...

help: ## list the tasks
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/naru, one static binary
	$(GO) build -trimpath -o bin/naru ./cmd/naru

# Its private RSA operations are OpenSSL's, from the libcrypto.so.3 of the machine; everything else is as in make build.
build-openssl: export CGO_ENABLED = 1
build-openssl: ## build bin/naru-openssl for half the CPU a call; needs gcc and libssl-dev
	$(GO) test -count=1 -tags openssl ./seal
	$(GO) build -trimpath -tags openssl,netgo,osusergo -o bin/naru-openssl ./cmd/naru

sandbox: ## run everything on loopback and play a payment
	$(GO) run ./cmd/naru sandbox

test: need ## every test, GnuPG interoperability and the kill test among them
	$(GO) test -count=1 -timeout 15m ./...

# Packages that play whole systems over sockets: make test plays them.
SYSTEMS := naru/drill naru/e2e naru/killtest naru/nodetest naru/pgserver naru/stories naru/docs/guide

check: ## quick: format, vet, and every test but those of whole systems, models played short; run it before each commit
	$(MAKE) --no-print-directory format-check vet
	NARU_QUICK=8 $(GO) test -vet=off -ldflags='-s -w' -p 3 -parallel 4 -timeout 5m $$($(GO) list ./... | grep -vxF "$$(echo $(SYSTEMS) | tr ' ' '\n')")

proofs: need ## the property model and the kill test, saying how much they played
	@out=$$(mktemp); $(GO) test -count=1 -v ./engine ./killtest -run 'AnyHistory|KilledAnywhere' >$$out; failed=$$?; \
		grep -E '^(---|ok|FAIL|    [a-z_]+.go)' $$out; rm $$out; exit $$failed

need: ## install what the tests need and this machine lacks (GnuPG, OpenSSL, Chromium, PHP, Node, PostgreSQL)
	@./.ci/need gpg:gnupg openssl:openssl chromium:chromium php:php-cli node:nodejs curl:curl perl:perl-base initdb:postgresql

screenshots: need ## pictures of the pages, in every state, language and size, into screenshots/
	$(GO) test -count=1 ./web/pay ./web/desk -args -screenshots "$(CURDIR)/screenshots"

race: ## the concurrent packages under the race detector
	NARU_QUICK=40 CGO_ENABLED=1 $(GO) test -race -count=1 -timeout 15m $(CONCURRENT)

vet: ## go vet
	$(GO) vet ./...

lint: ## staticcheck
	$(GO) run $(STATICCHECK) ./...

format: ## rewrite the sources with gofumpt
	$(GO) run $(GOFUMPT) -w .

format-check: ## fail where a source is not formatted
	@bad=$$($(GO) run $(GOFUMPT) -l .); [ -z "$$bad" ] || { echo "run make format; not formatted:"; echo "$$bad"; exit 1; }

generate: ## write the generated files: docs/states, docs/coverage, store/schema/*.sql
	$(GO) test -count=1 ./core/payment ./core/payout ./core/deposit ./store . -run 'Fresh|EveryStateAndEvent|DisputeMoney|Coverage' -update

fresh: ## fail where a generated file is not what make generate writes
	$(GO) test -count=1 ./core/payment ./core/payout ./core/deposit ./store . -run 'Fresh|EveryStateAndEvent|DisputeMoney|Coverage'

fuzz: ## fuzz each target for a short while
	@for p in $$($(GO) list ./...); do for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz'); do \
		echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime 10s $$p || exit 1; done; done

bench: build ## measure this build on both stores (an hour on a quiet machine); see docs/performance.md
	bin/naru bench all --store sqlite --json docs/figures/sqlite.json
	bin/naru bench all --store postgres --json docs/figures/postgres.json
	bin/naru bench report docs/figures/sqlite.json docs/figures/postgres.json --plots docs/figures

drill: need build ## fail over on this machine, under load; see docs/operate/failover.md
	bin/naru drill

.PHONY: help build build-openssl sandbox test proofs check need screenshots race vet lint format format-check generate fresh fuzz bench drill
