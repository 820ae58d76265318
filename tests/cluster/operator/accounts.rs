//! Two operators in two clusters, which know nothing of each other, on one account.

use serde_json::json;

use super::{
    Operator, apply, blueprint, condition, define, keep_trail, trail, wait_for, wait_gone, wait_ready,
};
use crate::plane::{ControlPlane, Setup, User};
use crate::processes::wait_until;

#[test]
fn of_two_clusters_on_one_account_the_second_never_calls_and_says_whose_it_is() {
    let what = "two clusters on one account";
    let Some(first) = ControlPlane::alone(what, &Setup::default()) else { return };
    let Some(second) = ControlPlane::alone(what, &Setup::default()) else { return };
    for plane in [&first, &second] {
        define(plane);
        plane.kubectl(&User::Admin, &["create", "namespace", "games"]);
    }
    // One account, and each has its record in its own cluster.
    let shared = first.folder().join("account").display().to_string();
    let more = ["--store", "kube://testbed/rgctl-system"];
    let arena = |name: &str| blueprint("games", name, &json!({ "deletion": "snapshot" })).to_string();
    let one = Operator::start(&first, &shared, &more);
    apply(&first, &arena("arena"));
    wait_ready(&first, "games", "arena");
    let there = one.world();
    let account = one.cloud();
    keep_trail(&account);

    let other = Operator::start(&second, &shared, &more);
    apply(&second, &arena("arena"));
    wait_for(&second, "games", "arena", "Stalled", "True", "");
    let (_, reason, message) = condition(&second, "games", "arena", "Ready");
    let says = message.contains("not ours") && message.contains("belongs to arena of the record ");
    assert!(says, "{reason}: {message}");
    // Hours of the account's time, and a wish of its own.
    std::thread::sleep(std::time::Duration::from_secs(4));
    let token = ["annotate", "blueprint", "arena", "-n", "games", "rgctl.dev/reconcile-at=now"];
    second.kubectl(&User::Admin, &token);
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(trail(&account), Vec::<String>::new(), "it called nothing: {message}");
    assert_eq!(condition(&first, "games", "arena", "Ready").0, "True");

    // What is deleted there takes nothing along that is another's, whatever its text says: it stays, and says how it can go.
    second.kubectl(&User::Admin, &["delete", "blueprint", "arena", "-n", "games", "--wait=false"]);
    wait_until("it says how it can go", || {
        condition(&second, "games", "arena", "Ready").2.contains("`policies.deletion: retain`")
    });
    let retain = r#"{"spec":{"policies":{"deletion":"retain"}}}"#;
    second
        .kubectl(&User::Admin, &["patch", "blueprint", "arena", "-n", "games", "--type=merge", "-p", retain]);
    wait_gone(&second, "games", "blueprint", "arena");
    assert_eq!((trail(&account), one.world()), (Vec::new(), there));

    // What nobody else has it makes as ever: it is not idle.
    apply(&second, &arena("lobby"));
    wait_ready(&second, "games", "lobby");
    assert!(trail(&account).iter().all(|step| step.contains("lobby")), "{:#?}", trail(&account));
    drop(other);
}
