#!/usr/bin/env python3
"""What an operator costs before a real API server: calls, writes, memory, processor time, and how long it is blind.

    cargo build --release --no-default-features --features kube
    eval "$(testbed/build.sh --kcm)"
    benches/operator.py target/release/rgctl --count 1000 --rounds 1440

Starts a control plane (testbed/start.sh), makes so many blueprints of one small store each (five objects), lets an operator build
them in the embedded cloud, and then looks at it: started anew, quiet, for many rounds while somebody else changes things, with a
history that was compacted, and with its leader killed. `--check` holds the counts to their bounds and ends with 1 where one is
broken: counts only, since times depend on what else the machine does.
"""

import argparse
import asyncio
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

HERE = pathlib.Path(__file__).resolve().parent
GAMES = "games"  # the namespace of the blueprints
PROBE = "probe"  # one of a single blueprint, over the same world
SYSTEM = "rgctl-system"
# Who calls: for resources, for the lease, and for the record where that is in the cluster, too.
OPERATOR, LEADER, RECORD = "rgctl-operator/", "rgctl-operator-leader/", "rgctl-cli/"
WRITES = {"create", "update", "patch", "delete", "deletecollection"}
QUIET_MINUTES = 5  # between two looks at a region at rest
LEADER_CALLS, STANDBY_CALLS = 10, 4  # a minute
RENEWALS = 60 / 8.25  # a minute, of the lease
RECORD_CALLS = 1  # and one question for orders, where the record is in the cluster, too


BOUND = ("setpriv", "--pdeathsig")  # what this script starts ends with it, however it ends


def say(text=""):
    print(text, flush=True)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_for(what, is_so, within=1800, every=0.05):
    end = time.monotonic() + within
    while True:
        found = is_so()
        if found:
            return found
        if time.monotonic() > end:
            sys.exit(f"operator.py: {what} did not come within {within} s")
        time.sleep(every)


class Plane:
    """A control plane of testbed/start.sh, its audit log, and calls to it under a name of our own."""

    def __init__(self, folder):
        self.folder = folder
        # A history can be compacted; the log of calls is never cut.
        words = [*BOUND, "TERM", HERE.parent / "testbed/start.sh", folder, "--compaction", "--audit-log-maxsize=4000"]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=sys.stderr, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("ready:"):
            sys.exit("operator.py: the control plane did not start: eval \"$(testbed/build.sh --kcm)\" first")
        self.config = folder / "kubeconfig"
        self.etcd = re.search(r"etcd http://([\w.:]+)", line).group(1)
        self.port = int(re.search(r"https://127.0.0.1:(\d+)", self.config.read_text()).group(1))
        self.trust = ssl.create_default_context(cafile=folder / "ca.crt")
        self.local = threading.local()

    def call(self, method, path, body=None, kind="application/json"):
        for attempt in (1, 2):
            if not hasattr(self.local, "connection"):
                self.local.connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.trust, timeout=60)
            heads = {"authorization": "Bearer admin-token", "user-agent": "bench", "content-type": kind}
            try:
                self.local.connection.request(method, path, json.dumps(body) if body is not None else None, heads)
                answer = self.local.connection.getresponse()
                text = answer.read()
                return answer.status, json.loads(text or "{}")
            except (http.client.HTTPException, OSError):
                del self.local.connection
                if attempt == 2:
                    raise

    def kubectl(self, *words, text=None):
        assets = os.environ.get("KUBEBUILDER_ASSETS", "/usr/local/kubebuilder/bin")
        program = os.environ.get("TEST_ASSET_KUBECTL", f"{assets}/kubectl")
        words = [program, "--kubeconfig", self.config, f"--cache-dir={self.folder}/cache", *words]
        subprocess.run(words, input=text, text=True, check=True, stdout=subprocess.DEVNULL)

    def mark(self):
        return (self.folder / "audit.log").stat().st_size

    def calls(self, mark, *agents):
        """Calls since then, by those whose names begin so."""
        found = []
        with open(self.folder / "audit.log", "rb") as log:
            log.seek(mark)
            for line in log:
                try:
                    one = json.loads(line)
                except ValueError:
                    continue  # half written
                # A watch that was begun is on record at its beginning, and once more at its end.
                begins = one["verb"] == "watch" and one.get("responseStatus", {}).get("code", 0) < 400
                if one.get("userAgent", "").startswith(agents) and (one["stage"] == "ResponseStarted") == begins:
                    found.append(one)
        return found

    def compact(self):
        def ask(path, body):
            connection = http.client.HTTPConnection(self.etcd, timeout=60)
            connection.request("POST", path, json.dumps(body))
            return json.loads(connection.getresponse().read())

        revision = ask("/v3/kv/range", {"key": "AA=="})["header"]["revision"]
        ask("/v3/kv/compaction", {"revision": revision, "physical": True})

    def stop(self):
        self.process.terminate()
        self.process.wait()


def is_write(call):
    return call["verb"] in WRITES and call["objectRef"].get("resource") != "leases"


def told(calls):
    counts = Counter(f"{one['verb']} {one.get('objectRef', {}).get('resource', '?')}" for one in calls)
    return ", ".join(f"{name} {count}" for name, count in counts.most_common()) or "none"


class Operator:
    """An operator that runs in the folder of the world."""

    def __init__(self, bench, *more, pace=60, config=None, folder=None):
        self.folder = folder or bench.world
        self.folder.mkdir(exist_ok=True)
        self.port = free_port()
        self.log = self.folder / f"log-{self.port}"
        words = [*BOUND, "KILL", bench.rgctl, "operator", "run", "--pace", str(pace), "--listen", f"127.0.0.1:{self.port}"]
        words += ["--log-format", "json", "--own-namespace", SYSTEM, *bench.record, *more]
        environment = {"PATH": os.environ["PATH"], "KUBECONFIG": str(config or bench.plane.config)}
        self.began = time.monotonic()
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                words, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log
            )
        bench.operators.append(self)

    def age(self):
        return time.monotonic() - self.began

    def numbers(self):
        """The numbers that it tells; none before it listens."""
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
        except OSError:
            if self.process.poll() is not None:
                sys.exit(f"operator.py: the operator has ended: {self.log.read_text()[-2000:]}")
            return {}
        rows = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, value in rows}

    def number(self, name):
        return sum(value for key, value in self.numbers().items() if key == name or key.startswith(name + "{"))

    def ready(self):
        return int(self.numbers().get('rgctl_blueprints{condition="ready"}', 0))

    def wait_ready(self, count):
        wait_for(f"{count} ready", lambda: self.ready() == count, every=0.1)

    def percentile(self, name, part):
        """The upper end of the step of a histogram below which that part of all values lies."""
        rows = self.numbers()
        steps = [(float(key.split('le="')[1].rstrip('"}')), value) for key, value in rows.items() if key.startswith(name + "_bucket")]
        whole = rows.get(name + "_count", 0)
        return min((end for end, value in steps if value >= part * whole), default=float("inf")), int(whole)

    def seconds(self):
        """Processor time so far."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self, word="VmRSS"):
        """In MB."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{word}:\s+(\d+)", status).group(1)) / 1024

    def end(self, word=signal.SIGTERM):
        self.process.send_signal(word)
        self.process.wait()
        return self


class Relay(threading.Thread):
    """A way to the API server that can be cut."""

    def __init__(self, to):
        super().__init__(daemon=True)
        self.to, self.port, self.is_open, self.writers = to, free_port(), True, set()
        self.loop = asyncio.new_event_loop()
        self.start()

    def run(self):
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(asyncio.start_server(self.pass_on, "127.0.0.1", self.port))
        self.loop.run_forever()

    async def pass_on(self, reader, writer):
        if not self.is_open:
            writer.transport.abort()
            return
        there, back = await asyncio.open_connection("127.0.0.1", self.to)
        self.writers |= {writer, back}

        async def one_way(source, sink):
            try:
                while data := await source.read(1 << 16):
                    sink.write(data)
                    await sink.drain()
            except OSError:
                pass
            sink.close()

        await asyncio.gather(one_way(reader, back), one_way(there, writer), return_exceptions=True)
        self.writers -= {writer, back}

    def cut(self):
        def now():
            self.is_open = False
            for writer in list(self.writers):
                writer.transport.abort()

        self.loop.call_soon_threadsafe(now)

    def heal(self):
        self.is_open = True


def blueprint(namespace, name):
    return {
        "apiVersion": "rgctl.dev/v1alpha1",
        "kind": "Blueprint",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "demand": {
                "players": {"peakConcurrent": "2k", "growthPerMonth": "1%"},
                "requestsPerPlayerPerMinute": 12,
                "readShare": "85%",
                "hotData": {"size": "4GiB", "retention": "90d"},
            },
            "objectives": {"availability": "99%", "p99": "100ms", "rto": "8h", "rpo": "24h"},
            "regions": {"primary": "us-east-1"},
            "residency": {"allow": ["us-*"]},
            "stores": [
                {
                    "name": "ranking",
                    "engine": "valkey",
                    "purpose": "rankings",
                    "demand": {"requestShare": "60%", "readShare": "95%", "dataSize": "1GiB", "workingSet": "1GiB"},
                    "class": "cache.t4g.medium",
                    "shards": 1,
                    "replicasPerShard": "1..2",
                    "cache": {"pattern": "cache-aside", "ttl": "30m", "hitRatio": "85%", "eviction": "volatile-lru"},
                    "backup": {"retention": "1d"},
                }
            ],
        },
    }


class Bench:
    def __init__(self, arguments, folder):
        self.rgctl = pathlib.Path(arguments.rgctl).resolve()
        self.arguments, self.folder, self.operators, self.broken = arguments, folder, [], []
        self.count = arguments.count
        self.world = folder / "world"
        (folder / "plane").mkdir()
        self.plane = Plane(folder / "plane")
        in_cluster = arguments.record == "cluster"
        self.record = ["--store", f"kube://testbed/{SYSTEM}"] if in_cluster else []
        self.record_calls = RECORD_CALLS if in_cluster else 0

    def bound(self, what, is_kept):
        if not is_kept:
            self.broken.append(what)
            say(f"  BROKEN: {what}")

    def path(self, name=""):
        return f"/apis/rgctl.dev/v1alpha1/namespaces/{GAMES}/blueprints/{name}"

    def annotate(self, name, mark, value):
        body = {"metadata": {"annotations": {f"rgctl.dev/{mark}": value}}}
        status, _ = self.plane.call("PATCH", self.path(name), body, "application/merge-patch+json")
        assert status == 200, status

    def handled(self, name):
        return self.plane.call("GET", self.path(name))[1].get("status", {}).get("lastHandledReconcileAt")

    def ask_and_wait(self, name, token):
        """Asks for a turn of a blueprint, and waits for the answer in its status."""
        self.annotate(name, "reconcile-at", token)
        wait_for("the turn that was asked for", lambda: self.handled(name) == token)

    def make(self):
        """Definitions, namespaces, blueprints."""
        printed = subprocess.run([self.rgctl, "operator", "crds"], check=True, capture_output=True, text=True).stdout
        self.plane.kubectl("apply", "--server-side", "-f", "-", text=printed)
        self.plane.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
        for name in (GAMES, PROBE, SYSTEM):
            self.plane.kubectl("create", "namespace", name)

        def one(namespace, name):
            path = f"/apis/rgctl.dev/v1alpha1/namespaces/{namespace}/blueprints"
            status, answer = self.plane.call("POST", path, blueprint(namespace, name))
            assert status == 201, answer

        began = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: one(GAMES, f"b{n}"), range(self.count)))
        one(PROBE, "probe")
        self.world.mkdir()
        # Thousands of small games are more than an account may have by default.
        words = [self.rgctl, "sim", "fault", "add", "quota", "--limit", "1000000", "--for", "3650d"]
        subprocess.run(words, cwd=self.world, check=True, capture_output=True)
        say(f"{self.count} blueprints made in {time.monotonic() - began:.1f} s")

    def build(self):
        mark = self.plane.mark()
        one = Operator(self, pace=self.arguments.build_pace)
        one.wait_ready(self.count + 1)
        calls = self.plane.calls(mark, OPERATOR)
        writes = [call for call in calls if is_write(call) and call["objectRef"].get("apiGroup") == "rgctl.dev"]
        per = len(writes) / (self.count + 1)
        say(
            f"built: {one.age():.1f} s, {one.seconds():.1f} s of processor time, {one.number('rgctl_turns_total'):.0f} turns, "
            f"{one.number('rgctl_cloud_looks_total'):.0f} looks; {per:.1f} writes of resources a blueprint ({told(writes)})"
        )
        self.bound(f"{per:.1f} writes a blueprint, at most 4", per <= 4)
        one.end()

    def of_the_world(self):
        """What the embedded cloud needs in a process: one that looks at all of it for one blueprint, less one over nothing."""
        whole = Operator(self, "--namespaces", PROBE)
        whole.wait_ready(1)
        nothing = Operator(self, "--namespaces", SYSTEM, folder=self.folder / "nothing")
        time.sleep(10)
        self.world_memory = whole.memory() - nothing.memory()
        say(f"memory of the world: {self.world_memory:.0f} MB; of an operator over nothing: {nothing.memory():.0f} MB")
        whole.end()
        nothing.end()

    def restarted(self):
        """Everything is judged again; nothing is written, and nothing called."""
        mark = self.plane.mark()
        self.one = one = Operator(self)
        one.wait_ready(self.count + 1)
        wall, processor = one.age(), one.seconds()
        time.sleep(3)
        calls = self.plane.calls(mark, OPERATOR)
        writes = [call for call in self.plane.calls(mark, OPERATOR, RECORD) if is_write(call)]
        changes = int(one.number("rgctl_cloud_calls_total"))
        p99, turns = one.percentile("rgctl_reconcile_work_seconds", 0.99)
        say(
            f"judged again after a restart: {wall:.1f} s, {processor:.1f} s of processor time, {turns} turns, "
            f"{one.number('rgctl_cloud_looks_total'):.0f} looks; {len(writes)} writes, {changes} calls that change the cloud; "
            f"calls of Kubernetes: {told(calls)}; for the record: {told(self.plane.calls(mark, RECORD))}"
        )
        say(f"worked on a turn, p99: at most {p99 * 1000:.0f} ms")
        self.bound(f"writes after a restart: {told(writes)}", not writes)
        self.bound(f"{changes} calls that change the cloud after a restart", changes == 0)
        self.bound(f"{turns} turns after a restart", turns <= 1.1 * (self.count + 1))

    def quiet(self):
        one, seconds = self.one, self.arguments.quiet
        mark, looks, turns = self.plane.mark(), one.number("rgctl_cloud_looks_total"), one.number("rgctl_turns_total")
        processor = one.seconds()
        time.sleep(seconds)
        calls = self.plane.calls(mark, OPERATOR, RECORD)
        minutes = seconds / 60
        looked, turned = one.number("rgctl_cloud_looks_total") - looks, one.number("rgctl_turns_total") - turns
        say(
            f"quiet for {seconds} s ({seconds} virtual minutes): {one.seconds() - processor:.2f} s of processor time, {looked:.0f} looks, "
            f"{turned:.0f} turns; calls of Kubernetes: {told(calls)}"
        )
        memory = one.memory()
        say(f"memory: {memory:.0f} MB, at most {one.memory('VmHWM'):.0f} MB; without the world {memory - self.world_memory:.0f} MB")
        # Beside the lease, which this one does not hold, each watch is begun anew every 290 seconds: less than that is no rest.
        self.rest_calls = len(calls) / minutes
        bound = (LEADER_CALLS - RENEWALS + self.record_calls) * minutes
        self.bound(f"{len(calls)} calls in {seconds} s of rest, at most {bound:.1f}", len(calls) <= bound)
        self.bound(f"{looked:.0f} looks in {seconds} virtual minutes", looked <= seconds / QUIET_MINUTES * 1.3 + 2)
        one.end()

    def rounds(self):
        """Looks for a long time, while another hand changes an object now and then."""
        rounds = self.arguments.rounds
        one = Operator(self, pace=self.arguments.pace)
        one.wait_ready(self.count + 1)
        first, mark, changed, samples = one.number("rgctl_cloud_looks_total"), self.plane.mark(), 0, []
        every = max(rounds // 30, 1)
        began, processor, calls = time.monotonic(), one.seconds(), one.number("rgctl_cloud_calls_total")
        while (round_ := one.number("rgctl_cloud_looks_total") - first) < rounds:
            if round_ >= changed * every:
                name = f"us-east-1/elasticache.group/b{changed * 7 % self.count}-ranking-use1"
                words = [self.rgctl, "sim", "edit", name, "snapshot_retention_days=5"]
                subprocess.run(words, cwd=self.world, check=True, capture_output=True)
                changed += 1
            samples.append((round_ / rounds, one.memory()))
            time.sleep(0.1)
        wait_for("the last change to be mended", lambda: one.number("rgctl_cloud_calls_total") - calls >= changed)
        one.wait_ready(self.count + 1)
        mended = one.number("rgctl_cloud_calls_total") - calls
        # From when everything has been touched once.
        part = lambda low, high: [memory for at, memory in samples if low <= at < high] or [samples[-1][1]]
        early, late = (sorted(one)[len(one) // 2] for one in (part(0.2, 0.4), part(0.8, 1.0)))
        grown = (late - early) / early * 100
        writes = [call for call in self.plane.calls(mark, OPERATOR) if is_write(call)]
        say(
            f"{rounds} rounds in {time.monotonic() - began:.0f} s, {one.seconds() - processor:.1f} s of processor time, {changed} changes by "
            f"another hand, {mended:.0f} calls that mended them, writes: {told(writes)}"
        )
        say(f"memory: {early:.1f} MB after a fifth, {late:.1f} MB at the end ({grown:+.1f} %)")
        self.bound(f"{mended:.0f} calls for {changed} changes", changed <= mended <= 2 * changed)
        self.bound(f"memory grew by {grown:.1f} %", grown < self.arguments.growth)
        one.end()

    def compacted(self):
        """The watches break, the history is gone: all is listed anew."""
        relay = Relay(self.plane.port)
        config = self.folder / "relayed"
        config.write_text(self.plane.config.read_text().replace(f":{self.plane.port}", f":{relay.port}"))
        one = Operator(self, config=config)
        one.wait_ready(self.count + 1)
        time.sleep(5)
        mark, before, turns = self.plane.mark(), one.memory(), one.number("rgctl_turns_total")
        relay.cut()
        self.annotate("b0", "reconcile-at", "while-it-was-blind")
        time.sleep(1)
        self.plane.compact()
        relay.heal()
        began, processor, most = time.monotonic(), one.seconds(), before
        while self.handled("b0") != "while-it-was-blind":
            most = max(most, one.memory())
            time.sleep(0.02)
        wall = time.monotonic() - began
        time.sleep(5)
        most = max(most, one.memory())
        calls = self.plane.calls(mark, OPERATOR)
        lists = [call for call in calls if call["verb"] == "list"]
        gone = [call for call in calls if call.get("responseStatus", {}).get("code") == 410]
        turned = one.number("rgctl_turns_total") - turns
        say(
            f"listed anew after 410: {wall:.1f} s until what had changed meanwhile was told, {one.seconds() - processor:.1f} s of processor "
            f"time, {len(lists)} calls of lists, {turned:.0f} turns; memory {before:.0f} MB before, {most:.0f} MB at most, "
            f"{one.memory():.0f} MB after"
        )
        writes = [call for call in calls if is_write(call)]
        self.bound(f"writes after listing anew: {told(writes)}", len(writes) <= 1)
        self.bound(f"{turned:.0f} turns after listing anew", turned <= 2)
        self.bound("no history was gone", gone or lists)
        one.end()

    def holder(self):
        path = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases/rgctl-operator"
        return self.plane.call("GET", path)[1].get("spec", {}).get("holderIdentity", "")

    def leads(self, one):
        return f"(process {one.process.pid})" in self.holder()

    def taken_over(self):
        """A second one waits; it takes over from one that ends in good order, and from one that is killed."""
        first = Operator(self, "--elect")
        wait_for("a leader", lambda: self.leads(first))
        first.wait_ready(self.count + 1)
        second = Operator(self, "--elect")
        wait_for("its health", lambda: second.numbers() or None)
        time.sleep(5)
        mark = self.plane.mark()
        time.sleep(60)
        leases = self.plane.calls(mark, LEADER)
        renewals = [call for call in leases if call["verb"] in WRITES]
        others = [call for call in leases if call["verb"] not in WRITES]
        rest = self.plane.calls(mark, OPERATOR, RECORD)
        say(
            f"a minute of two replicas: leader {len(renewals)} renewals and {len(rest)} other calls ({told(rest)}); "
            f"standby {len(others)} ({told(others)})"
        )
        # Within a minute a watch is begun anew or not: how often, was seen at rest.
        self.bound(f"the leader renews {len(renewals)} times a minute", len(renewals) <= RENEWALS + 1)
        calls, most = RENEWALS + self.rest_calls, LEADER_CALLS + self.record_calls
        self.bound(f"the leader makes {calls:.1f} calls a minute", calls <= most)
        self.bound(f"the standby makes {len(others)} calls a minute", len(others) <= STANDBY_CALLS)
        for word, how in ((signal.SIGTERM, "ended in good order"), (signal.SIGKILL, "killed")):
            began = time.monotonic()
            first.process.send_signal(word)
            wait_for("the next leader", lambda: self.leads(second), every=0.02)
            leads = time.monotonic() - began
            self.ask_and_wait("b0", f"after-{how}".replace(" ", "-"))
            acts = time.monotonic() - began
            first.process.wait()
            second.wait_ready(self.count + 1)
            all_ = time.monotonic() - began
            say(f"leader {how}: the next one leads after {leads:.1f} s, answers after {acts:.1f} s, has judged all after {all_:.1f} s")
            first, second = second, Operator(self, "--elect")
            wait_for("its health", lambda: second.numbers() or None)
        first.end()
        second.end()

    def run(self):
        self.make()
        self.build()
        self.of_the_world()
        self.restarted()
        self.quiet()
        for part in ("rounds", "compacted", "taken_over"):
            if part not in self.arguments.without:
                getattr(self, part)()

    def stop(self):
        for one in self.operators:
            if one.process.poll() is None:
                one.process.kill()
                one.process.wait()
        self.plane.stop()


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("rgctl", help="the program, built with the feature `kube`")
    words.add_argument("--count", type=int, default=100, help="blueprints")
    words.add_argument("--quiet", type=int, default=300, help="seconds for which the quiet operator is watched")
    words.add_argument("--rounds", type=int, default=30, help="looks while another hand changes things")
    words.add_argument("--pace", type=int, default=600, help="virtual seconds a second in those")
    words.add_argument("--build-pace", type=int, default=600, help="virtual seconds a second while all is built")
    words.add_argument("--growth", type=float, default=1.0, help="per cent by which memory may grow in those rounds")
    words.add_argument("--record", choices=("folder", "cluster"), default="folder", help="where the record is")
    words.add_argument("--without", nargs="*", default=[], help="parts that are left out: rounds, compacted, taken_over")
    words.add_argument("--check", action="store_true", help="end with 1 where a count is out of its bound")
    arguments = words.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="rgctl-bench-"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("operator.py: ended"))
    bench = Bench(arguments, folder)
    try:
        bench.run()
    finally:
        bench.stop()
        shutil.rmtree(folder, ignore_errors=True)
    if bench.broken:
        say(f"{len(bench.broken)} bounds are broken: " + "; ".join(bench.broken))
        sys.exit(1 if arguments.check else 0)
    say("all counts are within their bounds")


if __name__ == "__main__":
    main()
