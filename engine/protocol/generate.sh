#!/usr/bin/env bash
# Regenerates the Go and Python code of engine.proto, and the Python code of whatsapp.proto.
# Usage: generate.sh [PYTHON_OUT_DIR]; without an argument both languages are written into the source tree,
# with one only the Python code, into that directory. PYTHON names an interpreter with grpcio-tools.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
python=${PYTHON:-$root/.venv/bin/python}
python_out=${1:-$root/actors/instance/connection}

messages=$root/actors/instance/connection
"$python" -m grpc_tools.protoc -I"$here" -I"$messages" --python_out="$python_out" --pyi_out="$python_out" \
  engine.proto whatsapp.proto

if [ $# -eq 0 ]; then
  tools=$root/engine/.build/protoc
  mkdir -p "$tools"
  # The generator's version follows the runtime library that go.mod requires.
  version=$(cd "$root/engine" && go list -m -f '{{.Version}}' google.golang.org/protobuf)
  (cd "$root/engine" && GOBIN="$tools" go install "google.golang.org/protobuf/cmd/protoc-gen-go@$version")
  "$python" -m grpc_tools.protoc -I"$here" --plugin=protoc-gen-go="$tools/protoc-gen-go" \
    --go_out="$here" --go_opt=paths=source_relative engine.proto
fi
