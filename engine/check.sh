#!/usr/bin/env bash
# Every check of the engine's Go code: vet, staticcheck, tests, known vulnerabilities.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
for task in vet staticcheck test govulncheck; do
  "$here/build.sh" "$task"
done
