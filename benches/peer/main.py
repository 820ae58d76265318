"""The rows of the table for one program and some sizes: `main.py RGCTL FOLDER [--sizes 10,100] [--rows LIST] [--record s3://record/rgctl]`.

Each finding is a line of JSON in FOLDER/found.jsonl, so that a run that is stopped keeps what it has."""

import argparse
import json
import signal
import sys
import time
from pathlib import Path

import rows
from bed import ENDS, Bed, TooLate, say

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
    # Whatever ends it ends what was started, too.
    for one in ENDS:
        signal.signal(one, lambda number, _: sys.exit(128 + number))
    args.folder.mkdir(parents=True, exist_ok=True)
    wanted = args.rows.split(",")
    unknown = set(wanted) - set(GROWING + ONCE)
    if unknown:
        parser.error(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(GROWING + ONCE)}")

    late = []

    def note(row, size, work):
        """What a row finds; that it was not done in time is a finding as well."""
        try:
            found = work()
        except TooLate as error:
            found = {"timed_out": str(error)}
        if "timed_out" in found:
            late.append(row)
        line = {"row": row, "pairs": size, "found": found, "at": time.strftime("%FT%T")}
        with open(args.folder / "found.jsonl", "a") as out:
            print(json.dumps(line, default=str), file=out)
        say(row, size, rows.show(found))
        return found

    def bed(name):
        return Bed(args.folder / name, args.rgctl, sys.executable, args.record)

    for size in map(int, filter(None, args.sizes.split(","))):
        if set(wanted) & set(GROWING):
            with bed(f"growing-{size}") as one:
                growing(one, size, wanted, note)
    if "edits" in wanted or "deletion" in wanted:
        with bed("edits") as one:
            operator = one.operator()
            rows.create(one, 3, operator)
            if "edits" in wanted:
                note("edits", 3, lambda: rows.edits(one, operator, "p0000"))
            if "deletion" in wanted:
                note("deletion", 36, lambda: rows.deletion(one, operator, 100))
    for row, size in (("killed", 60), ("replicas", 20), ("throttled", 62)):
        if row in wanted:
            with bed(row) as one:
                note(row, size, lambda: getattr(rows, row)(one, size))
    if late:
        sys.exit(f"not done in time: {', '.join(late)}")


def growing(one, size, wanted, note):
    operator = one.operator()
    if "timed_out" in note("create", size, lambda: rows.create(one, size, operator)):
        # The others measure what is there.
        return
    if "quiet" in wanted:
        note("quiet", size, lambda: rows.quiet(one, size, operator))
    if "restart" in wanted:
        note("restart", size, lambda: rows.restart(one, size, operator))
    if "slow" in wanted:
        note("slow", size, lambda: rows.restart(one, size, operator, latency=0.1))
    if "asked" in wanted:
        note("asked", size, lambda: rows.asked(one, size, operator))
    if "silent" in wanted:
        note("silent", size, lambda: rows.silent(one, size, operator))
    operator.stop()


if __name__ == "__main__":
    main()
