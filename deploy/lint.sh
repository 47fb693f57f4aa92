#!/usr/bin/env bash
# Lints the Dockerfile, the compose file and the CloudFormation templates. Nothing is built or run, and nothing of
# Docker or AWS is asked. The linters are installed on first use, below the virtual environment.
#
# Usage: lint.sh        PYTHON names the interpreter (default python3), TOOLS the folder for linters
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

PYTHON=${PYTHON:-python3}
TOOLS=${TOOLS:-$PWD/.venv/deploy-lint}
mkdir -p "$TOOLS"

exec 9>"$TOOLS/lock"
flock 9
if ! cmp -s deploy/lint-requirements.txt "$TOOLS/installed"; then
    echo "deploy/lint.sh: installing linters (the first time takes some minutes)" >&2
    "$PYTHON" -m venv --clear "$TOOLS/python"
    "$TOOLS/python/bin/pip" install --quiet --disable-pip-version-check -r deploy/lint-requirements.txt
    cp deploy/lint-requirements.txt "$TOOLS/installed"
fi
flock -u 9
compose=$(PYTHON=$PYTHON engine/build.sh compose)

bin=$TOOLS/python/bin
failed=0
step() { # what it is, command
    local name=$1
    shift
    echo "== $name"
    "$@" || { echo "deploy/lint.sh: $name FAILED" >&2; failed=1; }
}

# The specification's own parser: merges, interpolation, and its JSON schema. References between services, volumes and
# secrets are looked at by tests/deploy.
compose_file() { (cd deploy/docker && "$compose" compose.yaml >/dev/null); }

step "hadolint" "$bin/hadolint" --failure-threshold style deploy/docker/Dockerfile
step "compose" compose_file
# A region where all of it is to be had, and Brazil's.
step "cfn-lint" "$bin/cfn-lint" --regions us-east-1 sa-east-1 --non-zero-exit-code informational \
    --template deploy/ecs/*.yaml
# What is let pass stands in the templates, each with its reason.
step "checkov" env LOG_LEVEL=ERROR "$bin/checkov" --directory deploy --framework cloudformation dockerfile \
    --quiet --compact --skip-download
exit "$failed"
