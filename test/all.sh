#!/usr/bin/env bash
# What `make test` runs when everything is there: the unit tests; beside them the
# packages of ./test that judge no times, since the unit tests leave a third of two
# processors idle; then the rest of ./test, one package after the other: each starts
# servers enough.
set -euo pipefail
cd "$(dirname "$0")/.."
go=${GO:-go}

# Not test/demo, which wants the machine to have no cluster but its own.
calm=()
for name in bench deploy differential examples grow judge model readme scenarios sdk takeover target; do
  calm+=("./test/$name")
done
timed=$("$go" list ./test/... | grep -vxF "$("$go" list "${calm[@]}")")

tests() { "$go" test -vet=off -count=1 -timeout 20m -p 1 -parallel 4 "$@"; } # `make vet` has seen them

# The calm ones make way for the unit tests, which judge some times. Not more than
# that: what they wait for has its end too. As a process group they, and what they
# have started, can be ended together.
mkdir -p bin
log=bin/beside.log
set -m
{
  renice -n 10 -p "$BASHPID" >/dev/null
  "$go" build -tags mutants -o bin/pando-mutants ./cmd/pando # for those that come after
  tests "${calm[@]}"
} >$log 2>&1 &
beside=$!
set +m
trap 'kill -- -$beside; cat $log' EXIT
trap 'trap "" INT TERM; exit 1' INT TERM # which may come twice, from make as well

failed=0
make --no-print-directory unit || failed=1
wait $beside || failed=1
trap - EXIT # its number may be another's now
cat $log
tests $timed || failed=1
exit $failed
