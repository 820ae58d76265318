#!/usr/bin/env bash
# What the operator costs on the real provider's protocol, row by row as a peer was measured: the table of docs/performance.md.
#
#   cargo build --release && benches/peer.sh target/release/rgctl FOLDER [--sizes 10,100,1000] [--rows create,quiet,…]
#
# It stands on the test bed (testbed/build.sh makes it) and on an emulator of one version (benches/peer/requirements.txt), behind a proxy
# that counts: all on loopback, all ended with this. What was found is in FOLDER/found.jsonl, a row that was not done in time as well:
# then it ends with 1. A thousand pairs take about an hour, most of it the emulator's own time.
set -euo pipefail
cd "$(dirname "$0")/.."
rgctl=${1:?which program?} folder=${2:?where to?}
shift 2
eval "$(testbed/build.sh)"
venv=${RGCTL_PEER_VENV:-${CARGO_TARGET_DIR:-target}/peer-venv}
# Of one version: emulator.py reaches into it, and numbers of two are not to be compared.
wanted=$(cat benches/peer/requirements.txt)
if [[ $(cat "$venv/made-of.txt" 2>/dev/null) != "$wanted" ]]; then
    python3 -m venv --clear "$venv"
    "$venv/bin/python" -m pip install --quiet -r benches/peer/requirements.txt
    echo "$wanted" >"$venv/made-of.txt"
fi
exec "$venv/bin/python" benches/peer/main.py "$rgctl" "$folder" "$@"
