//! What a look leaves unread, since it costs a question about each object: parameters.

use std::collections::BTreeSet;
use std::sync::Mutex;

use futures::FutureExt;
use futures::future::BoxFuture;
use rgctl_engine::execution::drive::Begins;
use rgctl_engine::execution::reconcile::Reconciled;
use rgctl_model::address::Address;
use rgctl_model::journal::Outcome;
use rgctl_model::kinds::KindId;
use rgctl_model::node::Desired;
use rgctl_model::observed::{Inventory, Selection};
use rgctl_model::plan::Op;
use rgctl_model::ports::{Cloud, CloudError, Permit};
use rgctl_schema::names::{BlueprintName, Fingerprint, Token};
use rgctl_schema::time::Span;
use rgctl_testkit::fixtures::{address, attrs, cluster_store, desired};
use rgctl_testkit::site::{Site, block_on};
use rgctl_testkit::tampered::{Tampered, Tampers};
use serde_json::json;

use crate::turns::Agent;

/// A cloud that leaves unread what it may, as one does that looks for many.
struct Sparing<'a> {
    site: &'a Site,
    /// Whether it leaves that unread whatever is asked.
    always: bool,
    /// Who wanted to know everything, look by look.
    asked: Mutex<Vec<BTreeSet<BlueprintName>>>,
}

impl Tampers for Sparing<'_> {
    fn cloud(&self) -> &dyn Cloud {
        &self.site.cloud
    }
    fn observe<'a>(&'a self, wanted: &'a Selection) -> BoxFuture<'a, Result<Inventory, CloudError>> {
        async move {
            self.asked.lock().unwrap().push(wanted.whole.clone());
            let mut inventory = self.site.cloud.observe(wanted).await?;
            let groups =
                inventory.seen.iter_mut().filter(|(at, _)| at.kind == KindId::AuroraClusterParameters);
            for (_, seen) in groups.filter(|_| self.always || wanted.whole.is_empty()) {
                seen.attrs.set("parameters", None).unwrap();
                seen.facts.is_unread = true;
            }
            Ok(inventory)
        }
        .boxed()
    }
}

fn wanted(limit: &str) -> Desired {
    let mut nodes = cluster_store("accounts", "us-east-1", 1, "db.r7g.large");
    let group = nodes.iter_mut().find(|node| node.address.kind == KindId::AuroraClusterParameters).unwrap();
    group.attrs.set("parameters", Some(json!({ "max_connections": limit }))).unwrap();
    Desired { fingerprint: Fingerprint(format!("with {limit}")), ..desired(nodes) }
}

/// Turns of a process that knows nothing but the record, until a run ends; for each look whether it wanted to know everything.
fn until_rest(site: &Site, wanted: &Desired, begins: Begins, always: bool) -> (Reconciled, Vec<bool>) {
    let cloud = Tampered(Sparing { site, always, asked: Mutex::default() });
    let done = Agent { cloud: &cloud, begins, ..Agent::of(site, wanted.clone()) }.settle();
    let asked = cloud.0.asked.into_inner().unwrap();
    (done, asked.iter().map(|whole| !whole.is_empty()).collect())
}

/// A world that is as wanted, as the record tells.
fn settled(seed: u64) -> (Site, Desired) {
    let (site, wanted) = (Site::new(seed), wanted("500"));
    let (done, looks) = until_rest(&site, &wanted, Begins::Due, false);
    assert_eq!(done.outcome, Some(Outcome::Settled));
    assert!(looks.iter().all(|whole| *whole), "while it is made, everything is looked at");
    (site, wanted)
}

fn group() -> Address {
    address("us-east-1", KindId::AuroraClusterParameters, "game-accounts-use1")
}

/// Another hand changes what nobody reads at once.
fn change_by_hand(site: &Site) {
    let attrs = attrs(KindId::AuroraClusterParameters, &[("parameters", json!({ "max_connections": "7" }))]);
    let by_hand = Op::Modify { address: group(), changes: Vec::new(), attrs };
    block_on(site.cloud.call(&by_hand, &Token("by hand".into()), &Permit::always())).unwrap();
    site.cloud.advance(Span::from_mins(1)).unwrap();
}

fn limit(site: &Site, wanted: &Desired) -> serde_json::Value {
    site.look(wanted).seen[&group()].attrs.get("parameters").unwrap()["max_connections"].clone()
}

#[test]
fn what_is_unread_is_taken_for_what_the_record_tells_and_the_turn_says_so_and_does_nothing() {
    let (site, wanted) = settled(3);
    let calls = site.cloud.calls().len();
    // It knows nothing but what the record tells.
    let (done, looks) = until_rest(&site, &wanted, Begins::Due, false);
    assert_eq!((done.outcome, looks), (Some(Outcome::Settled), vec![false]));
    let note = "1 parameter group was not read in this look and is taken for what the record tells";
    assert_eq!(done.turn.plan.notes, [note]);
    assert_eq!(site.cloud.calls().len(), calls, "nothing was called");
    assert_eq!(done.events, [], "nor written");
}

#[test]
fn where_the_record_does_not_tell_that_all_is_as_wanted_everything_is_looked_at() {
    let (site, wanted) = settled(4);
    change_by_hand(&site);
    let calls = site.cloud.calls().len();
    // The same is wanted in other words, as by another version of the program.
    let same = Desired { fingerprint: Fingerprint("in other words".to_owned()), ..wanted };
    let (done, looks) = until_rest(&site, &same, Begins::Due, false);
    assert_eq!(done.outcome, Some(Outcome::Settled));
    assert!(looks.iter().all(|whole| *whole), "{looks:?}");
    assert_eq!(site.cloud.calls().len(), calls + 1, "it was found, and set right");
    assert_eq!(limit(&site, &same), "500");
}

#[test]
fn who_gives_a_command_is_told_by_what_was_read_whatever_the_record_tells() {
    let (site, wanted) = settled(5);
    change_by_hand(&site);
    let (done, looks) = until_rest(&site, &wanted, Begins::Asked, false);
    assert_eq!(done.outcome, Some(Outcome::Settled));
    assert!(looks.iter().all(|whole| *whole), "{looks:?}");
    assert_eq!(limit(&site, &wanted), "500", "it was found, and set right");
    assert_eq!(done.turn.plan.notes, [] as [String; 0]);
}

#[test]
fn where_something_is_left_to_do_it_is_decided_by_what_was_read() {
    let (site, wanted) = settled(6);
    change_by_hand(&site);
    let cluster = address("us-east-1", KindId::AuroraCluster, "game-accounts-use1");
    let edit = vec![("backup_retention_days", json!(3))];
    site.cloud.with_world(|world| world.edit_fields(&cluster, edit)).unwrap().unwrap();
    let (done, looks) = until_rest(&site, &wanted, Begins::Due, false);
    assert_eq!(done.outcome, Some(Outcome::Settled));
    assert!(!looks[0] && looks[1..].iter().all(|whole| *whole), "{looks:?}");
    assert_eq!(limit(&site, &wanted), "500", "both were set right by one run");
    // A plan that was agreed to is carried out by what was read, too: else that which it is about would not show.
    change_by_hand(&site);
    let agreed = site.plan(&wanted);
    let cloud = Tampered(Sparing { site: &site, always: false, asked: Mutex::default() });
    let done = Agent { cloud: &cloud, agreed: Some(&agreed), ..Agent::of(&site, wanted.clone()) }.settle();
    assert_eq!((done.outcome, limit(&site, &wanted)), (Some(Outcome::Settled), json!("500")));
}

#[test]
fn what_was_to_be_read_and_was_not_is_not_seen_and_nothing_is_done_about_it() {
    for begins in [Begins::Asked, Begins::Due] {
        let (site, wanted) = settled(7);
        // Of another wish the record tells nothing, so that everything is to be read.
        let wanted = if begins == Begins::Due { self::wanted("700") } else { wanted };
        let calls = site.cloud.calls().len();
        let (done, looks) = until_rest(&site, &wanted, begins, true);
        assert_eq!(done.outcome, Some(Outcome::Blocked), "it is not said to be as wanted");
        assert!(looks.iter().all(|whole| *whole), "{looks:?}");
        let line = done.turn.plan.health.line().unwrap_or_default();
        assert!(line.contains("unseen"), "{line}");
        assert_eq!(site.cloud.calls().len(), calls, "nothing was called");
    }
}
