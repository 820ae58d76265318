"""The rows of the table for one program and some sizes: `main.py RGCTL FOLDER [--sizes 10,100] [--rows LIST] [--record s3://record/rgctl]`.

Each finding is a line of JSON in FOLDER/found.jsonl, so that a run that is stopped keeps what it has."""

import argparse
import json
import signal
import sys
import time
from pathlib import Path

import rows
from bed import Bed, say

GROWING = ("create", "quiet", "restart", "slow", "asked", "silent")
ONCE = ("edits", "deletion", "killed", "replicas", "throttled")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rgctl", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sizes", default="10,100")
    parser.add_argument("--rows", default=",".join(GROWING + ONCE))
    parser.add_argument("--record", default="s3://record/rgctl", help="where the record lies; `local` leaves its calls out")
    args = parser.parse_args()
    # An interrupt ends what was started, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    args.folder.mkdir(parents=True, exist_ok=True)
    wanted = args.rows.split(",")
    unknown = set(wanted) - set(GROWING + ONCE)
    if unknown:
        parser.error(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(GROWING + ONCE)}")

    def note(row, size, found):
        line = {"row": row, "pairs": size, "found": found, "at": time.strftime("%FT%T")}
        with open(args.folder / "found.jsonl", "a") as out:
            print(json.dumps(line, default=str), file=out)
        say(row, size, rows.show(found))

    def bed(name):
        return Bed(args.folder / name, args.rgctl, sys.executable, args.record)

    for size in map(int, filter(None, args.sizes.split(","))):
        if set(wanted) & set(GROWING):
            with bed(f"growing-{size}") as one:
                growing(one, size, wanted, note)
    if "edits" in wanted or "deletion" in wanted:
        with bed("edits") as one:
            operator, _ = rows.create(one, 3)
            if "edits" in wanted:
                note("edits", 3, rows.edits(one, operator, "p0000"))
            if "deletion" in wanted:
                note("deletion", 36, rows.deletion(one, operator, 100))
    for row, size in (("killed", 60), ("replicas", 20), ("throttled", 62)):
        if row in wanted:
            with bed(row) as one:
                note(row, size, getattr(rows, row)(one, size))


def growing(one, size, wanted, note):
    operator, found = rows.create(one, size)
    note("create", size, found)
    if "quiet" in wanted:
        note("quiet", size, rows.quiet(one, size, operator))
    if "restart" in wanted:
        operator, found = rows.restart(one, size, operator)
        note("restart", size, found)
    if "slow" in wanted:
        operator, found = rows.restart(one, size, operator, latency=0.1)
        note("slow", size, found)
    if "asked" in wanted:
        note("asked", size, rows.asked(one, size, operator))
    if "silent" in wanted:
        note("silent", size, rows.silent(one, size, operator))
    operator.stop()


if __name__ == "__main__":
    main()
