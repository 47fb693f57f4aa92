#!/usr/bin/env bash
# Makes the secrets of compose.yaml, once: what is there already is left alone.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# The folder is closed to others; the files are open, as containers read them under users of their own.
mkdir -p secrets
chmod 0700 secrets
cd secrets

random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
secret() { # name: prints it, and makes it if it is not there
    [ -s "$1" ] || random >"$1"
    cat "$1"
}
# $1 name, $2 password, $3 key patterns
acl() { printf 'user default off\nuser %s on >%s %s +@all -@admin -@dangerous +info +config|get\n' "$1" "$2" "$3"; }

mailboxes=$(secret valkey_password)
gcs=$(secret valkey_gcs_password)
postgres=$(secret postgres_password)
secret ray_token >/dev/null
secret admin_key >/dev/null
secret grafana_password >/dev/null

acl malote "$mailboxes" '~malote:* ~{malote}* &{malote}*' >valkey.acl
acl ray "$gcs" '~* &*' >valkey-gcs.acl
printf 'redis://malote:%s@valkey:6379/0' "$mailboxes" >redis_url
printf 'redis://ray:%s@valkey-gcs:6379/0' "$gcs" >gcs_redis_url
printf 'postgres://malote:%s@postgres:5432/malote?sslmode=disable' "$postgres" >session_store
chmod 0644 -- *
