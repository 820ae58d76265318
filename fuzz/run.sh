#!/usr/bin/env bash
# Coverage-guided fuzzing of every reader, with the stable toolchain and without a sanitizer: what a safe language leaves
# to find are panics, overflows, hangs and broken promises.
#
#   fuzz/run.sh                       # every target, 5 seconds each
#   fuzz/run.sh 600 blueprint         # one target, ten minutes
#   for t in $(fuzz/run.sh --list); do fuzz/run.sh 3600 "$t"; done      # long
#
# A finding is written to fuzz/artifacts/TARGET/. Put it under tests/fixtures/fuzz/ with the fix.
set -euo pipefail
cd "$(dirname "$0")"

all=(blueprint region template saved_plan trace price_book offer quantity)
if [[ "${1:-}" == --list ]]; then
    printf '%s\n' "${all[@]}"
    exit
fi
seconds=${1:-5}
shift || true
targets=("$@")
((${#targets[@]})) || targets=("${all[@]}")

host=$(rustc -vV | sed -n 's/^host: //p')
# What cargo-fuzz passes to the compiler for `--sanitizer none`; its other options need a nightly one. With `--target`,
# build scripts and macros are not instrumented.
flags="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4"
flags+=" -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
flags+=" -Cllvm-args=-sanitizer-coverage-trace-compares"
built=${CARGO_TARGET_DIR:-$PWD/target}
RUSTFLAGS="$flags" cargo build --release --target "$host" --bins --locked

seeds() { # target
    case $1 in
        region) cp ../regions/*.yaml "$2" ;;
        template) find ../templates -type f -exec cp {} "$2" \; ;;
        trace) for trace in ../tests/fixtures/traces/*.csv; do head -n 40 "$trace" >"$2/$(basename "$trace")"; done ;;
        quantity) for word in 200k 10TiB 90% 15% 3x 0.5 1h30m 15m 22:00 20000USD \
            2026-12-04T10:00+08:00 delete:accounts@us-east-1 us-east-1/aurora.cluster/a; do
            printf '%s' "$word" >"$2/$(tr -c 'a-z0-9\n' _ <<<"$word")"
        done ;;
        price_book | offer | saved_plan) cp seeds/"$1"* "$2" ;;
        *) cp ../blueprints/*.yaml ../tests/fixtures/invalid/*.yaml "$2" ;;
    esac
}

for target in "${targets[@]}"; do
    corpus=corpus/$target
    mkdir -p "$corpus" "artifacts/$target"
    seeds "$target" "$corpus"
    echo "== fuzz $target: $seconds s"
    "$built/$host/release/$target" "$corpus" -max_total_time="$seconds" -max_len=16384 -timeout=10 -rss_limit_mb=2048 \
        -artifact_prefix="artifacts/$target/" -print_final_stats=1 -verbosity=0 2>&1 | tail -n 8
done
