#!/usr/bin/env bash
# Times whole processes: `rgctl --version`, `rgctl apply` that builds a world of 10,000 resources, `rgctl plan` over it
# when it is as wanted, and when every member differs.
#
#   cargo build --release && benches/process.sh target/release/rgctl
#
# The world is one blueprint of 500 stores with 20 objects each, built in the embedded cloud in a folder of its own.
set -euo pipefail
rgctl=$(realpath "${1:-target/release/rgctl}")
stores=${2:-500}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

blueprint() { # class
    cat <<YAML
apiVersion: rgctl.dev/v1alpha1
kind: Blueprint
metadata: { name: bench }
spec:
  demand:
    players: { peakConcurrent: 2k, growthPerMonth: 1% }
    requestsPerPlayerPerMinute: 12
    readShare: 85%
    hotData: { size: 500GiB, retention: 90d }
  objectives: { availability: 99.9%, p99: 100ms, rto: 8h, rpo: 24h }
  regions: { primary: us-east-1 }
  residency: { allow: [us-*] }
  stores:
YAML
    for ((n = 0; n < stores; n++)); do
        cat <<YAML
    - name: s$n
      engine: aurora-mysql
      purpose: one of many
      demand: { requestShare: 0.1%, dataSize: 1GiB }
      class: $1
      readers: { min: 15, max: 15 }
      backup: { retention: 7d }
YAML
    done
}

measure() { # words
    # Wall seconds and the most memory held, of the fastest of five runs.
    for _ in 1 2 3 4 5; do
        /usr/bin/time -f '%e s  %M KiB' "$@" 2>&1 >/dev/null | tail -1
    done | sort -n | head -1
}

printf 'rgctl --version: '
measure "$rgctl" --version
# An account with default quotas could not hold so much.
"$rgctl" sim fault add quota --limit 1000000 --for 3650d
blueprint db.r7g.large >bench.yaml
/usr/bin/time -o apply.time -f 'rgctl apply, once: %e s  %M KiB' \
    "$rgctl" apply -f bench.yaml --yes >apply.out 2>apply.err || { tail -5 apply.out apply.err; exit 1; }
cat apply.time
tail -1 apply.out
printf 'rgctl plan, nothing differs: '
measure "$rgctl" plan -f bench.yaml
blueprint db.r7g.xlarge >bench.yaml
printf 'rgctl plan, every member differs: '
measure "$rgctl" plan -f bench.yaml
