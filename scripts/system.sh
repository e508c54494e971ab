#!/usr/bin/env bash
# Installs what tests use beside Python and Node, where this is a Debian and we may: the databases of the cluster's tests,
# the proxies that recipes are tried with, a browser for the console. Tests that lack one of them say so and are skipped.
set -euo pipefail
has() { command -v "$1" >/dev/null || compgen -G "/usr/lib/postgresql/*/bin/$1" >/dev/null; }
missing=()
has initdb || missing+=(postgresql)
has redis-server || missing+=(redis-server)
has nginx || missing+=(nginx-light)
has haproxy || missing+=(haproxy)
has caddy || missing+=(caddy)
has chromium || missing+=(chromium)
[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" != 0 ] || ! has apt-get; then
    echo "tests that use them are skipped without: ${missing[*]}"
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
(apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}") >/dev/null 2>&1 ||
    echo "could not install ${missing[*]}"
