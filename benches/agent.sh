#!/usr/bin/env bash
# What an agent costs: memory beside the world's, processor time of a quiet hour, looks in it, time to judge all after a start.
#
#   cargo build --release --no-default-features && benches/agent.sh target/release/rgctl 1000
#
# Makes so many blueprints of one small store each, lets an agent build them in the embedded cloud in a folder of its own, and starts
# an agent anew over them. The world is in the same process: what it takes is what an agent over one of them, which looks at all of
# the world, uses more than one over nothing.
set -euo pipefail
rgctl=$(realpath "${1:-target/release/rgctl}")
count=${2:-1000}
quiet=${3:-60} # real seconds that the quiet agent is watched; at 60 virtual seconds a second a minute is an hour
folder=$(mktemp -d)
agent=
trap '[[ -z $agent ]] || kill -9 "$agent" 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
mkdir blueprints one nothing

for ((n = 0; n < count; n++)); do
    cat >"blueprints/b$n.yaml" <<YAML
apiVersion: rgctl.dev/v1alpha1
kind: Blueprint
metadata: { name: b$n }
spec:
  demand:
    players: { peakConcurrent: 2k, growthPerMonth: 1% }
    requestsPerPlayerPerMinute: 12
    readShare: 85%
    hotData: { size: 4GiB, retention: 90d }
  objectives: { availability: 99%, p99: 100ms, rto: 8h, rpo: 24h }
  regions: { primary: us-east-1 }
  residency: { allow: [us-*] }
  stores:
    - name: ranking
      engine: valkey
      purpose: rankings
      demand: { requestShare: 60%, readShare: 95%, dataSize: 1GiB, workingSet: 1GiB }
      class: cache.t4g.medium
      shards: 1
      replicasPerShard: { min: 1, max: 2 }
      cache: { pattern: cache-aside, ttl: 30m, hitRatio: 85%, eviction: volatile-lru }
      backup: { retention: 1d }
YAML
done
# Thousands of small games are more than an account may have by default.
"$rgctl" sim fault add quota --limit 1000000 --for 3650d >/dev/null

now() { date +%s.%N; }
ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }
memory() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }
peak() { awk '/^VmHWM/ { print $2 }' "/proc/$1/status"; }
numbers() { exec 3<>"/dev/tcp/127.0.0.1/$port" && printf 'GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n' >&3 && cat <&3; }
ready() { numbers | sed -n 's/^rgctl_blueprints{condition="ready"} //p'; }
looks() { numbers | sed -n 's/^rgctl_cloud_looks_total{.*} //p'; }
turns() { numbers | awk '/^rgctl_turns_total/ { sum += $2 } END { print sum + 0 }'; }
start() { # FOLDER [STATE]
    : >log
    RGCTL_STATE_DIR=${2:-.rgctl} "$rgctl" agent run -f "$1" --apply --listen 127.0.0.1:0 --log-format json >out 2>log &
    agent=$!
    until port=$(sed -n 's/.*"address":"127.0.0.1:\([0-9]*\)".*/\1/p' log) && [[ -n $port ]]; do sleep 0.05; done
}
stop() {
    kill -TERM "$agent"
    wait "$agent" || true
    agent=
}

began=$(now)
# At a faster pace the computing that a look needs would pass for more of the service's time than the looks of a real one take.
"$rgctl" agent run -f blueprints --apply --once --no-listen --pace 120 >out 2>log || { tail -5 log; exit 1; }
printf 'built: %s in %.1f s\n' "$(cat out)" "$(echo "$(now) - $began" | bc)"

cp blueprints/b0.yaml one/
start one
until [[ $(ready) == 1 ]]; do sleep 0.2; done
sleep 5
world=$(memory "$agent")
stop
start nothing nothing-built
sleep 5
nothing=$(memory "$agent")
stop
world=$((world - nothing))
printf 'the world: %d MB; an agent over nothing: %d MB\n' $((world / 1024)) $((nothing / 1024))

began=$(now)
start blueprints
until [[ $(ready) == "$count" ]]; do sleep 0.2; done
printf 'all judged after a start: %.1f s, %d turns, %d looks\n' "$(echo "$(now) - $began" | bc)" "$(turns)" "$(looks)"
before=$(ticks "$agent") looked=$(looks) turned=$(turns)
sleep "$quiet"
printf 'quiet for %d s (%d virtual minutes): %.2f s of processor time, %d looks, %d turns\n' "$quiet" "$quiet" \
    "$(echo "scale=2; ($(ticks "$agent") - $before) / $(getconf CLK_TCK)" | bc)" $(($(looks) - looked)) $(($(turns) - turned))
printf 'memory: %d MB, at most %d MB; without the world %d MB\n' $(($(memory "$agent") / 1024)) $(($(peak "$agent") / 1024)) \
    $((($(memory "$agent") - world) / 1024))
stop
cat out
