#!/usr/bin/env bash
# Install the programs that tests need apart from Python and Node: the databases of the cluster tests, the proxies of the
# recipes, a browser for the console. Needs root on Debian; tests that lack one of these programs are skipped.
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
    echo "tests that need these programs are skipped: ${missing[*]}"
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
(apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}") >/dev/null 2>&1 ||
    echo "could not install ${missing[*]}"
