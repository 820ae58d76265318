#!/bin/sh
# The adapter of the real provider over HTTP, and its requests against the provider's published models.
#
# Makes a Python environment with the newest emulator (moto) beside the build, starts it on loopback on a free port,
# runs the wire tests, checks the recorded requests, and ends what it started. In CI a missing emulator is a failure;
# elsewhere it is said and left out.
set -eu
cd "$(dirname "$0")/.."

target="${CARGO_TARGET_DIR:-$(pwd)/target}"
venv="$target/wire-venv"
python="$venv/bin/python"

if ! { python3 -m venv "$venv" && "$python" -m pip install --quiet --upgrade 'moto[server]' boto3; }; then
    if [ -n "${CI:-}" ]; then
        echo "wire: the emulator cannot be installed" >&2
        exit 1
    fi
    echo "wire: left out, the emulator cannot be installed" >&2
    exit 0
fi
"$python" -m pip list 2>/dev/null | grep -E '^(moto|boto3|botocore) '

# Starts an emulator on a free port and waits until it answers: sets `url`.
emulators=""
trap 'kill $emulators 2>/dev/null || true' EXIT INT TERM
start_emulator() {
    port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    # The emulator keeps every request, so that the tests can count the calls of each process.
    MOTO_RECORDER_FILEPATH="$target/moto_recording$1" "$venv/bin/moto_server" -H 127.0.0.1 -p "$port" >"$target/moto$1.log" 2>&1 &
    emulators="$emulators $!"
    url="http://127.0.0.1:$port"
    "$python" - "$url" <<'WAIT'
import sys, time, urllib.error, urllib.request
for _ in range(100):
    try:
        urllib.request.urlopen(sys.argv[1] + "/moto-api/data.json", timeout=1)
        sys.exit(0)
    except (OSError, urllib.error.URLError):
        time.sleep(0.2)
sys.exit("wire: the emulator did not come up")
WAIT
}

start_emulator ""
# More threads than cores: the tests wait for the emulator most of the time.
RGCTL_MOTO_URL="$url" RGCTL_MOTO_PYTHON="$python" cargo test --test it wire:: -- --nocapture --test-threads 6
# Processes that contend for a lease of two seconds: by themselves and on an emulator of their own, since one that is slow looks
# like a dead holder.
start_emulator -lease
RGCTL_LEASE_STAGE=1 RGCTL_MOTO_URL="$url" RGCTL_MOTO_PYTHON="$python" \
    timeout 90 cargo test --test it wire::lease -- --nocapture --test-threads 3
cargo test --test it aws::
"$python" tests/wire/validate_requests.py "$target/tmp/requests.jsonl"
"$python" tests/wire/validate_answers.py "$target/tmp/answers.jsonl"
