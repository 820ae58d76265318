#!/usr/bin/env bash
# The operator's parts against a real API server: builds the test bed where it is not built yet, runs tests/cluster.
#
#   .ci/cluster.sh [--prerequisites | --build | --counts] [FILTER ...]
#
# From nothing, on two cores: 13 minutes for the test bed (24 of processor time), which is kept by its versions
# (testbed/README.md); then 3 to 5 minutes of tests. `--counts` is what docs/performance.md says of the operator, repeated with
# 100 blueprints and 30 rounds: what is written and called, and that memory does not grow, never how long anything took; 8 to 10
# minutes, five of which it only rests. Ends at once where something is missing that it needs.
set -euo pipefail
cd "$(dirname "$0")/.."

missing() {
    printf 'cluster: %s\n' "$1" >&2
    exit 1
}

prerequisites() {
    [[ $(uname -sm) == "Linux x86_64" ]] || missing "the test bed is for Linux on x86-64, and this is $(uname -sm)"
    local name version
    for name in python3 openssl setpriv flock; do
        command -v "$name" >/dev/null || missing "there is no $name: install it"
    done
    python3 -m pip --version >/dev/null 2>&1 || missing "Python has no pip: install it"
    command -v go >/dev/null || missing "there is no go: install Go 1.26 or newer, it builds etcd and kube-apiserver"
    version=$(GOTOOLCHAIN=local go env GOVERSION)
    printf '%s\n' go1.26 "$version" | sort -CV || missing "this is $version: Go 1.26 or newer is needed"
}

prerequisites
[[ ${1:-} != --prerequisites ]] || exit 0
exports=$(testbed/build.sh --kcm)
eval "$exports"
[[ ${1:-} != --build ]] || exit 0
if [[ ${1:-} == --counts ]]; then
    cargo build
    # The memory of a program that is not optimised moves more, and thirty rounds are few: a leak of each round is seen all the same.
    exec benches/operator.py "${CARGO_TARGET_DIR:-target}/debug/rgctl" --count 100 --rounds 30 --growth 10 --check
fi
# More threads than cores: the tests wait for processes most of the time.
RGCTL_CLUSTER=required cargo test --test cluster -- --test-threads 4 "$@"
