#!/usr/bin/env bash
# What it costs to observe and re-plan many clusters over HTTP: calls, wall time, peak memory.
#
#   cargo build --release && .ci/wire.sh && benches/observe.sh target/release/rgctl 1000
#
# Starts the emulator that .ci/wire.sh has installed, on loopback on a free port, and ends it. Puts clusters of Redshift
# there, whose lists come in pages of a hundred, and lets `rgctl plan` compare each with a blueprint of as many stores.
set -euo pipefail
rgctl=$(realpath "${1:-target/release/rgctl}")
clusters=${2:-1000}
target=$(realpath "${CARGO_TARGET_DIR:-target}")
python="$target/wire-venv/bin/python"
folder=$(mktemp -d)
port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
url="http://127.0.0.1:$port"
cd "$folder"
"$python" -m moto.server -H 127.0.0.1 -p "$port" >moto.log 2>&1 &
emulator=$!
trap 'kill "$emulator" 2>/dev/null || true; rm -rf "$folder"' EXIT INT TERM

"$python" - "$url" "$clusters" <<'PYTHON'
import sys, time, urllib.request
import boto3
url, clusters = sys.argv[1], int(sys.argv[2])
for _ in range(100):
    try:
        urllib.request.urlopen(url + "/moto-api/data.json", timeout=1)
        break
    except OSError:
        time.sleep(0.2)
redshift = boto3.client("redshift", region_name="us-east-1", endpoint_url=url, aws_access_key_id="a", aws_secret_access_key="b")
for n in range(clusters):
    redshift.create_cluster(
        ClusterIdentifier=f"bench-s{n}-use1", NodeType="ra3.large", NumberOfNodes=2, DBName="dev", MasterUsername="rgctladmin",
        MasterUserPassword="Not-a-secret-1",
        Tags=[{"Key": "rgctl:blueprint", "Value": "bench"}, {"Key": "rgctl:store", "Value": f"s{n}"}],
    )
with open("bench.yaml", "w", encoding="utf-8") as text:
    text.write("""apiVersion: rgctl.dev/v1alpha1
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
""")
    for n in range(clusters):
        text.write(f"""    - name: s{n}
      engine: redshift
      purpose: one of many
      demand: {{ requestShare: 0%, dataSize: 1TiB, connections: 10 }}
      class: ra3.large
      nodes: {{ min: 2, max: 2 }}
      backup: {{ retention: 7d }}
""")
PYTHON

measure() { # words
    "$python" - "$url" <<'PYTHON'
import sys, urllib.request
for word in ("reset", "start"):
    urllib.request.urlopen(urllib.request.Request(f"{sys.argv[1]}/moto-api/recorder/{word}-recording", method="POST"))
PYTHON
    AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b AWS_EC2_METADATA_DISABLED=true RGCTL_CLOUD=aws \
        /usr/bin/time -f '%e s wall, %U s user, %M KiB at most' "$rgctl" --endpoint-url "$url" "$@" >out 2>err || { tail -5 out err; exit 1; }
    tail -1 err
    "$python" - "$url" <<'PYTHON'
import base64, collections, json, sys, urllib.parse, urllib.request
lines = urllib.request.urlopen(sys.argv[1] + "/moto-api/recorder/download-recording").read().decode().splitlines()
calls = collections.Counter()
for request in map(json.loads, lines):
    heads = {name.lower(): text for name, text in request["headers"].items()}
    body = request.get("body") or ""
    body = base64.b64decode(body).decode("utf-8", "replace") if request.get("body_encoded") else body
    asked = dict(urllib.parse.parse_qsl(body))
    calls[asked.get("Action") or heads.get("x-amz-target", "").rsplit(".")[-1]] += 1
print(sum(calls.values()), "requests:", ", ".join(f"{name} {count}" for name, count in calls.most_common(6)))
PYTHON
}

for words in "status -f bench.yaml" "plan -f bench.yaml"; do
    echo "rgctl $words, $clusters clusters"
    # shellcheck disable=SC2086 # two words
    measure $words
    tail -1 out
done
