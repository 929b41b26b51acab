#!/bin/sh
# Installs what the tests need from Debian and is not there yet: Chromium for
# the browser tests, Node and npm for the SDK, a C compiler for -race, the
# sqlite3 shell as another program that writes to our file, strace to record
# what a power loss would leave.
# Quick and silent when nothing is missing. Needs root only to install.
set -eu

missing=""
need() { # need COMMAND PACKAGE...
    command -v "$1" >/dev/null 2>&1 && return
    shift
    missing="$missing $*"
}
need chromium chromium
need node nodejs
need npm npm
need gcc gcc libc6-dev
need sqlite3 sqlite3
need curl curl
need strace strace

[ -z "$missing" ] && exit 0
if ! command -v apt-get >/dev/null 2>&1; then
    echo "The tests need:$missing. Install them with your system's package manager." >&2
    exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "The tests need:$missing. Run as root: $0" >&2
    exit 1
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
if ! { apt-get update && apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    exit 1
fi
rm -f "$log"
