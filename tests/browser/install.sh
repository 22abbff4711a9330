#!/bin/sh
# Installs what the page checks need and is not there yet: Debian's Chromium and Node, and two packages of npm.
set -eu
cd "$(dirname "$0")"

needed=""
if [ -z "${CHROMIUM:-}" ] && ! command -v chromium >/dev/null; then needed="chromium fonts-dejavu-core"; fi
command -v node >/dev/null || needed="$needed nodejs"
command -v npm >/dev/null || needed="$needed npm"
if [ -n "$needed" ]; then
    echo "Installing with apt-get: $needed"
    apt-get update -qq
    # shellcheck disable=SC2086 # a list of packages
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $needed >/dev/null
fi
if [ ! node_modules/.package-lock.json -nt package-lock.json ]; then
    npm ci --no-audit --no-fund --silent
fi
