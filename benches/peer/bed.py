"""What a measurement stands on: a control plane of the test bed, the emulator behind the proxy, operators. All on loopback, all ended by
their handles, however the measurement ends."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import boto3

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
REGION = "us-east-1"
GROUP = "/apis/rgctl.dev/v1alpha1"
TICKS = os.sysconf("SC_CLK_TCK")
# By which a person or a terminal ends it.
ENDS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
WRITES = ("create", "update", "patch", "delete", "deletecollection")


class TooLate(Exception):
    """What was waited for did not come. No error of a socket is one."""


def free_port():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


def wait_for(what, is_so, within=60.0, every=0.1):
    by = time.monotonic() + within
    while not (found := is_so()):
        if time.monotonic() > by:
            raise TooLate(f"{what} did not come within {within:.0f} s")
        time.sleep(every)
    return found


def processor_seconds(pid):
    """Of a process and all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mib(pid, what="VmRSS"):
    found = re.search(rf"^{what}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.M)
    return int(found.group(1)) / 1024


def get(url, body=None, timeout=30):
    with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=timeout) as answer:
        return answer.read()


class Children:
    """Processes that end with this one."""

    def __init__(self):
        self.all = []

    def start(self, words, log, **more):
        out = open(log, "ab")
        # The kernel ends it should this process be killed.
        child = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *map(str, words)], stdin=subprocess.DEVNULL, stdout=out,
                                 stderr=out, start_new_session=True, **more)
        out.close()
        self.all.append(child)
        return child

    def end(self, child, with_signal=signal.SIGTERM, within=40):
        if child.poll() is None:
            child.send_signal(with_signal)
            try:
                child.wait(within)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def end_all(self):
        # The control plane takes a minute to end its own children, and would leave them behind if it were killed before.
        for child in reversed(self.all):
            self.end(child, within=90)


@contextmanager
def undisturbed():
    """A second signal does not interrupt what the first one asked for."""
    before = {one: signal.signal(one, signal.SIG_IGN) for one in ENDS}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


class Calls:
    """What the proxy counted between two moments."""

    def __init__(self, counts, changes, waited):
        self.counts, self.changes, self.waited = counts, changes, waited

    def __sub__(self, before):
        return Calls(self.counts - before.counts, self.changes[len(before.changes):], self.waited - before.waited)

    def total(self, of=lambda key, service, action, status: True):
        return sum(count for name, count in self.counts.items() if of(*name))

    def by_action(self):
        found = Counter()
        for (_, service, action, _), count in self.counts.items():
            found[f"{service}:{action}"] += count
        return dict(sorted(found.items(), key=lambda one: -one[1]))

    @property
    def aws(self):
        """All but those of the record."""
        return self.total(lambda key, service, action, status: service != "s3")

    @property
    def record(self):
        return self.total(lambda key, service, action, status: service == "s3")

    @property
    def refused(self):
        """Calls of the cloud that the service refused; what the emulator does not know is none."""
        return self.total(lambda key, service, action, status: service != "s3" and status in (400, 403, 409, 429, 503))

    @property
    def unknown(self):
        return self.total(lambda key, service, action, status: service != "s3" and status in (404, 500, 501))


class Bed:
    """One control plane and one cloud, empty at first."""

    def __init__(self, folder, rgctl, python, record="s3://record/rgctl"):
        self.folder, self.rgctl, self.python, self.record = Path(folder), Path(rgctl).resolve(), Path(python), record
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.children = Children()
        self.plane = None
        self.watch = None
        self.started = 0

    def __enter__(self):
        try:
            self.start_plane()
            self.start_cloud()
            self.define()
            return self
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        with undisturbed():
            if self.watch:
                self.watch.is_over = True
            self.end_plane()
            self.children.end_all()

    def end_plane(self):
        """It is thrown away, and would wait a minute for watches that are open."""
        log = self.folder / "plane.log"
        found = re.search(r"pids ([\d ]+)", log.read_text()) if log.exists() else None
        # The numbers are still theirs: their parent lives, who would have noticed their end.
        if found and self.plane.poll() is None:
            for pid in map(int, found.group(1).split()):
                os.kill(pid, signal.SIGKILL)

    # The control plane.

    def start_plane(self):
        plane = self.folder / "plane"
        self.plane = self.children.start([ROOT / "testbed/start.sh", plane], self.folder / "plane.log")
        log = self.folder / "plane.log"
        wait_for("the control plane", lambda: "ready: export" in log.read_text(), 120)
        text = (plane / "kubeconfig").read_text()
        self.server = re.search(r"https://127.0.0.1:(\d+)", text).group(1)
        self.kubeconfig, self.audit = plane / "kubeconfig", plane / "audit.log"
        self.tls = ssl.create_default_context(cafile=plane / "ca.crt")
        self.local = threading.local()

    def api(self, method, path, body=None, kind="application/json"):
        """A call of the administrator; the object that it answers."""
        status, told = self.try_api(method, path, body, kind)
        if status >= 300:
            raise RuntimeError(f"{method} {path}: {status} {told.get('message')}")
        return told

    def try_api(self, method, path, body=None, kind="application/json"):
        head = {"Authorization": "Bearer admin-token", "Content-Type": kind, "User-Agent": "peer-bench"}
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        for is_last in (False, True):
            line = getattr(self.local, "line", None)
            if line is None:
                line = http.client.HTTPSConnection("127.0.0.1", int(self.server), context=self.tls, timeout=60)
                self.local.line = line
            try:
                line.request(method, path, data, head)
                answer = line.getresponse()
                return answer.status, json.loads(answer.read() or b"{}")
            except (http.client.HTTPException, OSError):
                self.local.line = None
                if is_last:
                    raise

    def kubectl(self, *words, text=None):
        kubectl = os.environ.get("TEST_ASSET_KUBECTL") or f"{os.environ['KUBEBUILDER_ASSETS']}/kubectl"
        done = subprocess.run([kubectl, *words], input=text, text=True, capture_output=True, timeout=600,
                              env=os.environ | {"KUBECONFIG": str(self.kubeconfig)})
        if done.returncode:
            raise RuntimeError(f"kubectl {' '.join(words)}: {done.stderr}")
        return done.stdout

    def define(self):
        crds = subprocess.run([self.rgctl, "operator", "crds"], check=True, capture_output=True, text=True).stdout
        self.kubectl("apply", "--server-side", "-f", "-", text=crds)
        self.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
        printed = subprocess.run([self.rgctl, "operator", "manifests"], check=True, capture_output=True, text=True).stdout
        self.kubectl("apply", "--server-side", "-f", "-", text=printed)
        self.kubectl("create", "namespace", "games")
        # As its own service account, with the printed rights and no others.
        token = self.kubectl("create", "token", "rgctl-operator", "-n", "rgctl-system", "--duration=8h").strip()
        self.kubectl("config", "set-credentials", "operator", f"--token={token}")
        self.kubectl("config", "set-context", "operator", "--cluster=testbed", "--user=operator")
        region = {"apiVersion": "rgctl.dev/v1alpha1", "kind": "Region", "metadata": {"name": REGION}, "spec": {
            "title": "Emulated", "partition": "aws", "currency": "USD", "zones": [f"{REGION}{zone}" for zone in "abc"],
            "network": self.network, "cities": ["Emulated"]}}
        self.kubectl("apply", "--server-side", "-n", "rgctl-system", "-f", "-", text=json.dumps(region))
        self.watch = Watch(self)

    def kube_calls(self, agent="rgctl-operator", since=0):
        """Verb and resource of every call of an agent's name, from a place in the audit log on, and where that ends now."""
        # What is buffered is written within a moment.
        time.sleep(0.5)
        found = Counter()
        with open(self.audit, "rb") as log:
            log.seek(since)
            for line in log:
                if not line.endswith(b"\n"):
                    break
                since += len(line)
                if agent.encode() not in line:
                    continue
                event = json.loads(line)
                if event.get("userAgent", "").startswith(agent) and event["stage"] == "ResponseComplete":
                    about = event.get("objectRef", {})
                    name = "/".join(filter(None, (about.get("resource"), about.get("subresource"))))
                    code = event.get("responseStatus", {}).get("code", 0)
                    found[(event["verb"], name, code)] += 1
        return found, since

    # The cloud.

    def start_cloud(self):
        port, front = free_port(), free_port()
        words = [self.python, HERE / "emulator.py", "-H", "127.0.0.1", "-p", port]
        self.emulator = self.children.start(words, self.folder / "emulator.log")
        self.proxy = self.children.start([self.python, HERE / "proxy.py", front, port], self.folder / "proxy.log")
        # The bench's own hand goes straight to the emulator, and is not counted.
        self.cloud_url, self.endpoint = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{front}"
        wait_for("the emulator", lambda: answers(f"{self.cloud_url}/moto-api/data.json"), 60)
        wait_for("the proxy", lambda: answers(f"{self.endpoint}/__peer/counts"), 60)
        client = self.boto("ec2")
        subnets = [one["SubnetId"] for one in client.describe_subnets()["Subnets"][:3]]
        group = client.describe_security_groups()["SecurityGroups"][0]["GroupId"]
        self.network = {"subnets": subnets, "securityGroups": [group], "kmsKey": "alias/rgctl"}

    def boto(self, service):
        return boto3.client(service, region_name=REGION, endpoint_url=self.cloud_url, aws_access_key_id="a",
                            aws_secret_access_key="b")

    def calls(self):
        told = json.loads(get(f"{self.endpoint}/__peer/counts"))
        counts = Counter({(key, service, action, status): count for key, service, action, status, count in told["counts"]})
        return Calls(counts, told["changes"], told["waited"])

    def behave(self, **how):
        get(f"{self.endpoint}/__peer/behave", json.dumps(how).encode())

    def emulator_seconds(self):
        return processor_seconds(self.emulator.pid)

    def clusters(self):
        client = self.boto("rds")
        clusters = [one["DBClusterIdentifier"] for page in client.get_paginator("describe_db_clusters").paginate()
                    for one in page["DBClusters"]]
        instances = [one["DBInstanceIdentifier"] for page in client.get_paginator("describe_db_instances").paginate()
                     for one in page["DBInstances"]]
        return clusters, instances

    # Operators.

    def operator(self, *more):
        self.started += 1
        return Operator(self, f"AKIDOPERATOR{self.started}", more)

    # Blueprints.

    def apply(self, documents):
        """Makes many blueprints with eight hands."""
        todo, lock, failed = list(reversed(documents)), threading.Lock(), []

        def hand():
            while True:
                with lock:
                    if not todo or failed:
                        return
                    one = todo.pop()
                try:
                    self.api("POST", f"{GROUP}/namespaces/games/blueprints", one)
                except Exception as error:  # noqa: BLE001 - told to the one who asked
                    failed.append(error)

        # They end with the process: what is interrupted waits for none of them.
        hands = [threading.Thread(target=hand, daemon=True) for _ in range(8)]
        for one in hands:
            one.start()
        for one in hands:
            one.join()
        if failed:
            raise failed[0]

    def patch(self, name, changes):
        return self.api("PATCH", f"{GROUP}/namespaces/games/blueprints/{name}", changes, "application/merge-patch+json")

    def blueprint(self, name):
        return self.api("GET", f"{GROUP}/namespaces/games/blueprints/{name}")


def answers(url):
    try:
        get(url, timeout=2)
        return True
    except OSError:
        return False


def pair(name, **more):
    """A blueprint with one Aurora cluster of one member."""
    store = {"name": "db", "engine": "aurora-postgresql", "purpose": "a pair",
             "demand": {"requestShare": "10%", "dataSize": "4GiB"}, "class": "db.r7g.large", "readers": 0,
             "backup": {"retention": "1d", "window": "06:00-07:00"}} | more.pop("store", {})
    return {"apiVersion": "rgctl.dev/v1alpha1", "kind": "Blueprint", "metadata": {"name": name, "namespace": "games"}, "spec": {
        "demand": {"players": {"peakConcurrent": "2k", "growthPerMonth": "1%"}, "requestsPerPlayerPerMinute": 12,
                   "readShare": "85%", "hotData": {"size": "40GiB", "retention": "90d"}},
        "objectives": {"availability": "99%", "p99": "100ms", "rto": "8h", "rpo": "24h"},
        "regions": {"primary": REGION}, "residency": {"allow": ["us-*"]}, "stores": [store]} | more}


def pairs(count, first=0, **more):
    return [pair(f"p{number:04}", **more) for number in range(first, first + count)]


class Watch:
    """Which blueprints are ready, and since when, as the API server tells it."""

    def __init__(self, bed):
        self.bed, self.is_over = bed, False
        self.conditions, self.gone = {}, set()
        # When each was seen not ready that had been ready before.
        self.lost = []
        threading.Thread(target=self.follow, daemon=True).start()

    def follow(self):
        path = f"{GROUP}/namespaces/games/blueprints?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
        head = {"Authorization": "Bearer admin-token", "User-Agent": "peer-bench"}
        while not self.is_over:
            try:
                line = http.client.HTTPSConnection("127.0.0.1", int(self.bed.server), context=self.bed.tls)
                line.request("GET", path, headers=head)
                answer = line.getresponse()
                if answer.status == 200:
                    for event in answer:
                        self.hear(json.loads(event))
            except (OSError, ValueError, http.client.HTTPException):
                pass
            # The definition is new, or gone: it is watched anew.
            time.sleep(0.2)

    def hear(self, event):
        thing = event["object"]
        if event["type"] not in ("ADDED", "MODIFIED", "DELETED") or thing.get("kind") != "Blueprint":
            return
        name = thing["metadata"]["name"]
        if event["type"] == "DELETED":
            self.conditions.pop(name, None)
            self.gone.add(name)
            return
        told = {one["type"]: one for one in thing.get("status", {}).get("conditions", [])}
        was, is_ready = self.is_ready(name), told.get("Ready", {}).get("status") == "True"
        if was and not is_ready:
            self.lost.append((time.time(), name, told["Ready"].get("reason"), told["Ready"].get("message")))
        self.conditions[name] = told

    def is_ready(self, name):
        return self.conditions.get(name, {}).get("Ready", {}).get("status") == "True"

    def ready(self):
        return sum(self.is_ready(name) for name in list(self.conditions))

    def told(self, name, about="Ready"):
        one = self.conditions.get(name, {}).get(about, {})
        return one.get("status"), one.get("reason"), one.get("message")


class Operator:
    """`rgctl operator run` as a process, with an access key of its own, so that its calls are told from others'."""

    def __init__(self, bed, key, more):
        self.bed, self.key, self.port = bed, key, free_port()
        # All in one folder: there lies a record that is kept locally.
        self.folder = bed.folder / "operators"
        self.folder.mkdir(exist_ok=True)
        self.log = self.folder / f"{key}.log"
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "KUBECONFIG": str(bed.kubeconfig),
                            "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": "not-a-secret", "AWS_EC2_METADATA_DISABLED": "true",
                            "AWS_REGION": REGION}
        self.words = [bed.rgctl, "operator", "run", "--context", "operator", "--cloud", "aws", "--endpoint-url", bed.endpoint,
                      "--store", bed.record, "--listen", f"127.0.0.1:{self.port}", "--log-format", "json", *more]
        self.start()

    def start(self):
        self.began = time.monotonic()
        self.child = self.bed.children.start(self.words, self.log, cwd=self.folder, env=self.environment)

    @property
    def pid(self):
        # setpriv becomes what it starts.
        return self.child.pid

    def seconds(self):
        return processor_seconds(self.pid)

    def memory(self):
        return memory_mib(self.pid)

    def numbers(self):
        """What it tells as metrics; nothing while it does not listen."""
        try:
            text = get(f"http://127.0.0.1:{self.port}/metrics", timeout=10).decode()
        except OSError:
            if self.child.poll() is not None:
                raise RuntimeError(f"the operator ended with {self.child.returncode}: {self.log.read_text()[-2000:]}") from None
            return {}
        found = {}
        for line in text.splitlines():
            if not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                found[name] = float(value)
        return found

    def turns(self):
        return sum(value for name, value in self.numbers().items() if name.startswith("rgctl_turns_total"))

    def level(self, name):
        return next((value for known, value in self.numbers().items() if known.startswith(f"rgctl_{name}")), None)

    def stop(self, with_signal=signal.SIGTERM):
        self.bed.children.end(self.child, with_signal, within=90)


def say(*words):
    print(time.strftime("%H:%M:%S"), *words, file=sys.stderr, flush=True)
