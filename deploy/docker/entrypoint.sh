#!/bin/sh
# Runs a command with secrets from files: of MALOTE_X_FILE=/path, MALOTE_X gets what the file holds.
set -eu

for name in $(env | sed -n 's/^\(MALOTE_[A-Z0-9_]*\)_FILE=.*/\1/p'); do
    eval "file=\$${name}_FILE"
    if [ ! -r "$file" ]; then
        echo "malote: ${name}_FILE: cannot read $file" >&2
        exit 78
    fi
    value=$(cat "$file")
    export "$name=$value"
    unset "${name}_FILE"
done

# In its place: signals have to reach it.
exec "$@"
