#!/bin/sh
# Installs what the tests need from Debian and is not there yet: Chromium for
# the browser tests, Node and npm for the SDK, a C compiler for -race, the
# sqlite3 shell as another program that writes to our file, strace to record
# what a power loss would leave; PostgreSQL, and Patroni, etcd and PgBouncer
# around it, and Redis, for internal/localcluster; systemd, which checks deploy/systemd.
# The S3 server and the ACME authority are Go programs, built once from
# test/s3server/gateway and test/pebble/acme.
# Quick and silent when nothing is missing. Needs root only to install.
set -eu
cd "$(dirname "$0")/.."
go run ./test/s3server/build
go run ./test/pebble/build

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
need unshare util-linux
need strace strace
# Debian keeps the server's programs in a directory of their version, and
# PgBouncer where only root's PATH looks.
ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || need postgres postgresql
PATH=$PATH:/usr/sbin
need patroni patroni python3-etcd
need etcd etcd-server
need etcdctl etcd-client
need pgbouncer pgbouncer
need ip iproute2
need redis-server redis-server
need systemd-analyze systemd

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
# The tests start servers of their own: those of the packages stay down.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
fi
log=$(mktemp)
if ! { apt-get update && apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    exit 1
fi
rm -f "$log"
