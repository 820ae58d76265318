"""The rows of the table: each is given a bed and tells what it found, as numbers and words that `main` prints."""

import json
import signal
import time

from bed import GROUP, REGION, WRITES, TooLate, pair, pairs, say, wait_for

# Between two looks while nothing moves, with what jitter adds.
PERIOD = 330


def words(calls, most=12):
    """The calls of a count, the most frequent first."""
    found = list(calls.by_action().items())
    return {name: count for name, count in found[:most]}


def writes(kube):
    return {f"{verb} {what} {code}": count for (verb, what, code), count in sorted(kube.items()) if verb in WRITES}


def count_writes(kube):
    return sum(count for (verb, _, _), count in kube.items() if verb in WRITES)


def names(count, first=0):
    return [one["metadata"]["name"] for one in pairs(count, first)]


def wait_ready(bed, count, within):
    wait_for(f"{count} ready blueprints", lambda: bed.watch.ready() >= count, within, 0.2)


def spent(bed, operator, since):
    """What passed since [`now`]: seconds, processor time, calls, calls of Kubernetes."""
    kube, _ = bed.kube_calls(since=since["audit"])
    calls = bed.calls() - since["calls"]
    return {"seconds": time.monotonic() - since["at"], "cpu": operator.seconds() - since["cpu"],
            "emulator_cpu": bed.emulator_seconds() - since["emulator"], "emulator_wall": calls.waited, "aws": calls.aws, "record": calls.record,
            "refused": calls.refused, "unknown": calls.unknown, "changes": len(calls.changes), "kube_writes": count_writes(kube),
            "kube": writes(kube), "by_action": words(calls)}


def now(bed, operator=None):
    _, audit = bed.kube_calls(since=0 if not hasattr(bed, "audit_end") else bed.audit_end)
    bed.audit_end = audit
    return {"at": time.monotonic(), "cpu": operator.seconds() if operator else 0.0, "emulator": bed.emulator_seconds(),
            "calls": bed.calls(), "audit": audit}


def create(bed, count, operator):
    """All of them, with the operator running; and the memory before and after."""
    wait_for("the operator", lambda: operator.numbers(), 60)
    time.sleep(5)
    empty = operator.memory()
    since = now(bed, operator)
    bed.apply(pairs(count))
    say(f"{count} blueprints are in the cluster after {time.monotonic() - since['at']:.0f} s")
    try:
        wait_ready(bed, count, 300 + 4 * count)
    except TooLate:
        say("not ready:", {name: bed.watch.told(name) for name in list(bed.watch.conditions)[:5]})
        raise
    seconds = time.monotonic() - since["at"]
    found = spent(bed, operator, since) | {"seconds": seconds}
    clusters, instances = bed.clusters()
    return found | {"clusters": len(clusters), "instances": len(instances), "memory_empty": empty}


def quiet(bed, count, operator):
    """A drift period, after whatever followed the last creation; then a member is deleted by another hand."""
    time.sleep(90)
    since = now(bed, operator)
    looks = operator.level("cloud_looks_total") or 0
    time.sleep(PERIOD)
    found = spent(bed, operator, since)
    found |= {"looks": (operator.level("cloud_looks_total") or 0) - looks, "memory": operator.memory()}
    name = names(count)[0]
    instance = next(one for one in bed.clusters()[1] if one.startswith(f"{name}-"))
    bed.boto("rds").delete_db_instance(DBInstanceIdentifier=instance, SkipFinalSnapshot=True)
    gone = time.monotonic()
    wait_for("that it is not ready", lambda: not bed.watch.is_ready(name), PERIOD + 60, 0.5)
    found["seen_after"] = time.monotonic() - gone
    found["said"] = bed.watch.told(name)
    wait_for("that it is repaired", lambda: bed.watch.is_ready(name), 300, 0.5)
    found["repaired_after"] = time.monotonic() - gone
    return found


def restart(bed, count, operator, latency=0.0):
    """Ended in good order, and started anew with nothing changed."""
    operator.stop()
    bed.behave(latency=latency)
    since = now(bed)
    operator.start()
    try:
        wait_for("all judged", lambda: operator.turns() >= count, 1_200, 0.2)
        seconds = time.monotonic() - operator.began
        # What is written late is written by then.
        time.sleep(10)
        return spent(bed, operator, since) | {"seconds": seconds, "memory": operator.memory(), "ready": bed.watch.ready()}
    finally:
        bed.behave(latency=0.0)


def asked(bed, count, operator):
    """A look now, asked for all of them within a minute: the nearest to a resync of 60 s."""
    since = now(bed, operator)
    for name in names(count):
        bed.patch(name, {"metadata": {"annotations": {"rgctl.dev/reconcile-at": f"t{since['audit']}"}}})
    patched = time.monotonic() - since["at"]

    def handled():
        all_of = bed.api("GET", f"{GROUP}/namespaces/games/blueprints")["items"]
        token = f"t{since['audit']}"
        return sum(one.get("status", {}).get("lastHandledReconcileAt") == token for one in all_of) == count
    wait_for("all handled", handled, 1_200, 3)
    return spent(bed, operator, since) | {"patched": patched}


def silent(bed, count, operator):
    """The cloud answers nothing any more: it is said, and nothing is concluded from it."""
    since = now(bed, operator)
    bed.behave(silent=True)
    name = names(count)[0]
    bed.patch(name, {"metadata": {"annotations": {"rgctl.dev/reconcile-at": "silence"}}})
    try:
        wait_for("that it is not seen", lambda: bed.watch.told(name, "Observed")[0] == "False", 400, 0.5)
        found = spent(bed, operator, since) | {"said": bed.watch.told(name, "Observed"), "sweep_age": operator.level("sweep_age_seconds"),
                                               "failed": operator.level("cloud_looks_failed_total")}
    finally:
        bed.behave(silent=False)
    wait_for("that it is seen again", lambda: bed.watch.told(name, "Observed")[0] == "True", 400, 0.5)
    return found


def edits(bed, operator, name):
    """A changed name of the store, a changed engine, and whether the spec is as it was written."""
    found = {}
    before = bed.blueprint(name)
    found["spec_untouched"] = before["spec"] == pair(name)["spec"] and before["metadata"]["generation"] == 1
    since = bed.calls()

    def edit(store, label):
        spec = {"spec": {"stores": [pair(name, store=store)["spec"]["stores"][0]]}}
        status, told = bed.try_api("PATCH", f"{GROUP}/namespaces/games/blueprints/{name}", spec, "application/merge-patch+json")
        if status >= 300:
            found[label] = f"refused by the API server: {told.get('message')}"
            return
        generation = told["metadata"]["generation"]

        def judged():
            one = bed.blueprint(name)
            return one["status"].get("observedGeneration") == generation and bed.watch.told(name)
        wait_for("that it is judged", judged, 120, 0.5)
        # What may be done is done first.
        time.sleep(10)
        wait_for("what waits", lambda: bed.watch.told(name)[:2] not in (("True", "Ready"), ("False", "Working")), 180, 0.5)
        status, reason, message = bed.watch.told(name)
        found[label] = f"Ready={status}, {reason}: {message}"
        after = bed.blueprint(name)
        found["spec_untouched"] &= after["spec"]["stores"] == spec["spec"]["stores"]

    edit({"engine": "valkey"}, "another family")
    edit({"engine": "aurora-mysql"}, "another engine")
    edit({"name": "other"}, "another name")
    changes = [(one["action"], one["about"], one["status"]) for one in (bed.calls() - since).changes]
    found["changes"] = changes
    clusters, _ = bed.clusters()
    found["old_is_there"] = any(one.startswith(f"{name}-db") for one in clusters)
    return found


def snapshots(bed):
    return [one["DBClusterSnapshotIdentifier"] for one in bed.boto("rds").describe_db_cluster_snapshots()["DBClusterSnapshots"]
            if one["SnapshotType"] == "manual"]


def approve(bed, name):
    """Agrees to the plan that waits, with all consents that it names."""
    plan = bed.blueprint(name)["status"]["plan"]
    consents = bed.api("GET", f"{GROUP}/namespaces/games/plans/{plan}")["spec"].get("consents", [])
    import os
    import subprocess
    more = [word for one in consents for word in ("--allow", one)]
    subprocess.run([bed.rgctl, "approve", plan, "-n", "games", "--context", "testbed", *more], check=True, capture_output=True,
                   env=os.environ | {"KUBECONFIG": str(bed.kubeconfig)})
    return consents


def delete(bed, name):
    bed.api("DELETE", f"{GROUP}/namespaces/games/blueprints/{name}")


def deletion(bed, operator, first):
    """Deleted without a word; with the word and an agreement; protected; and all with their definition."""
    # Three of so many are not yet taken for an accident.
    found, (plain, worded, guarded, *rest) = {}, names(36, first)
    bed.apply([pair(plain), pair(worded, policies={"deletion": "snapshot"}),
               pair(guarded, policies={"deletion": "snapshot"}, store={"deletionProtection": True}), *map(pair, rest)])
    all_of = (plain, worded, guarded, *rest)
    wait_for("those that go", lambda: all(map(bed.watch.is_ready, all_of)), 400, 0.5)
    since = bed.calls()
    delete(bed, plain)
    wait_for("that it is gone", lambda: plain in bed.watch.gone, 60)
    time.sleep(5)
    found["without a word"] = f"gone from the cluster, {len((bed.calls() - since).changes)} changes in the cloud"

    since = bed.calls()
    delete(bed, worded)
    wait_for("its plan", lambda: bed.watch.told(worded, "DeletionHeld")[0] == "True", 120, 0.5)
    found["before approval"] = f"{len((bed.calls() - since).changes)} changes"
    approve(bed, worded)
    wait_for("that it is gone", lambda: worded in bed.watch.gone, 300, 0.5)
    done = [(one["action"], one["snapshot"]) for one in (bed.calls() - since).changes]
    kept = [one for one in snapshots(bed) if one.startswith(worded)]
    found["approved"] = {"changes": done, "snapshots": kept, "clusters_left": [one for one in bed.clusters()[0] if one.startswith(worded)]}

    since = bed.calls()
    delete(bed, guarded)
    wait_for("that it is held", lambda: bed.watch.told(guarded, "DeletionHeld")[0] == "True", 120, 0.5)
    found["protected, held"] = bed.watch.told(guarded, "DeletionHeld")[2]
    try:
        approve(bed, guarded)
        time.sleep(20)
    except Exception as error:  # noqa: BLE001 - what it says is the finding
        found["protected, approval"] = str(error)
    found["protected, approved"] = {"there": any(one.startswith(guarded) for one in bed.clusters()[0]), "said": bed.watch.told(guarded)}
    if guarded not in bed.watch.gone:
        store = pair(guarded, store={"deletionProtection": False})["spec"]["stores"]
        bed.patch(guarded, {"spec": {"stores": store}})
        by = time.monotonic() + 240
        while guarded not in bed.watch.gone and time.monotonic() < by:
            time.sleep(5)
            try:
                approve(bed, guarded)
            except Exception:  # noqa: BLE001 - no plan waits yet, or it is agreed to
                pass
    found["protection lifted"] = {"gone": guarded in bed.watch.gone, "snapshots": [one for one in snapshots(bed) if one.startswith(guarded)],
                                  "changes": [(one["action"], one["about"], one["status"]) for one in (bed.calls() - since).changes]}
    since, before = bed.calls(), bed.clusters()
    bed.kubectl("delete", "crd", "blueprints.rgctl.dev", "--wait=true", "--timeout=120s")
    time.sleep(20)
    found["definition deleted"] = {"changes": len((bed.calls() - since).changes), "clusters": [len(before[0]), len(bed.clusters()[0])]}
    return found


def made_twice(changes):
    """Objects whose creation was answered with success more than once, and creations that were refused."""
    made, refused = {}, 0
    for one in changes:
        if one["action"].startswith("Create"):
            if one["status"] < 300:
                made.setdefault((one["action"], one["about"]), []).append(one["at"])
            else:
                refused += 1
    return {about: len(times) for about, times in made.items() if len(times) > 1}, refused


def killed(bed, count):
    """Killed three times while it creates, and started again."""
    since = bed.calls()
    operator = bed.operator()
    wait_for("the operator", lambda: operator.numbers(), 60)
    bed.apply(pairs(count))
    kills = []
    for part in (0.2, 0.5, 0.8):
        try:
            wait_for("work", lambda: len((bed.calls() - since).changes) >= part * count * 4, 300, 0.05)
        except TooLate:
            break
        operator.stop(signal.SIGKILL)
        kills.append(len((bed.calls() - since).changes))
        operator = bed.operator()
    began = time.monotonic()
    wait_ready(bed, count, 600)
    seconds = time.monotonic() - began
    clusters, instances = bed.clusters()
    changes = (bed.calls() - since).changes
    twice, refused = made_twice(changes)
    before = bed.calls()
    time.sleep(120)
    after = (bed.calls() - before).changes
    operator.stop()
    return {"killed_at_changes": kills, "seconds_after": seconds, "clusters": len(set(clusters)), "instances": len(set(instances)),
            "made_twice": {str(key): value for key, value in twice.items()}, "refused_creates": refused,
            "changes_in_two_minutes_after": len(after)}


def standby(bed):
    """One that is there and waits for its turn."""
    one = bed.operator("--elect")
    wait_for("one that waits for its turn", lambda: one.level("leader") == 0, 60)
    return one


def replicas(bed, count):
    """Two with an election: the leader is killed, and the next acts; then it is ended in good order. Then two without."""
    found = {}
    first = bed.operator("--elect")
    wait_for("the leader", lambda: first.level("leader") == 1, 60)
    bed.apply(pairs(count))
    wait_ready(bed, count, 300)
    second = standby(bed)
    for label, with_signal in (("killed", signal.SIGKILL), ("ended", signal.SIGTERM)):
        name = f"after-{label}"
        at = time.monotonic()
        first.stop(with_signal) if with_signal == signal.SIGTERM else first.child.kill()
        bed.apply([pair(name)])
        wait_for("its first call", lambda: any((one["about"] or "").startswith(name) for one in bed.calls().changes), 180, 0.2)
        found[f"{label}: first call of the next"] = time.monotonic() - at
        wait_for("that it is ready", lambda: bed.watch.is_ready(name), 180, 0.2)
        wait_for("that it leads", lambda: second.level("leader") == 1, 60)
        first, second = second, standby(bed)
    # In the middle of its work: what is open goes on after the lease of each run.
    more = 20
    since = bed.calls()
    bed.apply(pairs(more, 500))
    wait_for("work", lambda: len((bed.calls() - since).changes) >= more, 120, 0.05)
    at = time.monotonic()
    first.child.kill()
    wait_for("the rest", lambda: all(map(bed.watch.is_ready, names(more, 500))), 400, 0.2)
    found["killed in the middle of 20: all ready"] = time.monotonic() - at
    twice, refused = made_twice((bed.calls() - since).changes)
    found |= {"made_twice": {str(key): value for key, value in twice.items()}, "refused_creates": refused}
    second.stop()

    since = bed.calls()
    both = [bed.operator(), bed.operator()]
    for one in both:
        wait_for("both", lambda: one.numbers(), 60)
    bed.apply(pairs(20, 700, policies={"deletion": "snapshot"}))
    wait_for("those of two without an election", lambda: all(map(bed.watch.is_ready, names(20, 700))), 900, 0.5)
    twice, refused = made_twice((bed.calls() - since).changes)
    found |= {"without election": {"made_twice": {str(key): value for key, value in twice.items()}, "refused_creates": refused}}
    left = names(20, 700)[:2]
    for name in left:
        delete(bed, name)
        wait_for("its plan", lambda: bed.watch.told(name, "DeletionHeld")[0] == "True", 180, 0.5)
        approve(bed, name)
        wait_for("that it is gone", lambda: name in bed.watch.gone, 300, 0.5)
    time.sleep(10)
    clusters, instances = bed.clusters()
    found["without election"] |= {"outlive": [one for one in clusters + instances if any(one.startswith(f"{name}-") for name in left)]}
    for one in both:
        one.stop()
    return found


def throttled(bed, count):
    """So many are ready; as many more come while each action is answered five times a second."""
    operator = bed.operator()
    bed.apply(pairs(count))
    wait_ready(bed, count, 600)
    time.sleep(20)
    lost = len(bed.watch.lost)
    bed.behave(throttle=5.0)
    since = now(bed, operator)
    bed.apply(pairs(count, count))
    late = {}
    try:
        wait_for("the others", lambda: all(map(bed.watch.is_ready, names(count, count))), 1_200, 0.5)
    except TooLate as error:
        late = {"timed_out": str(error), "ready": sum(map(bed.watch.is_ready, names(count, count)))}
    found = late | spent(bed, operator, since)
    old = set(names(count))
    found["unchanged_not_ready"] = [one for one in bed.watch.lost[lost:] if one[1] in old]
    found["throttled"] = (bed.calls() - since["calls"]).total(
        lambda key, service, action, status: service != "s3" and status in (400, 429))
    bed.behave(throttle=0.0)
    operator.stop()
    return found


def show(found):
    return json.dumps(found, indent=1, default=str)


__all__ = ["REGION", "asked", "create", "deletion", "edits", "killed", "quiet", "replicas", "restart", "show", "silent", "throttled"]
