#!/usr/bin/env bash
# What `make test` runs when everything is there: the unit tests; then the packages of
# ./test that judge no times, two at once; then the others, one after the other: each
# starts servers enough. What fails keeps nothing from being run.
set -euo pipefail
cd "$(dirname "$0")/.."
go=${GO:-go}

# Not test/demo, which wants the machine to have no cluster but its own, nor test/readme,
# which builds what the others run.
calm=()
for name in bench deploy differential examples grow judge model scenarios sdk takeover target; do
  calm+=("./test/$name")
done
timed=$("$go" list ./test/... | grep -vxF "$("$go" list "${calm[@]}")")

tests() { "$go" test -vet=off -count=1 -timeout 20m -parallel 4 "$@"; } # `make vet` has seen them

failed=0
make --no-print-directory unit || failed=1
"$go" build -o bin/pando ./cmd/pando # lest two make it at once
tests -p 2 "${calm[@]}" || failed=1
tests -p 1 $timed || failed=1
exit $failed
