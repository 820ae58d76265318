//! What a look leaves unread, since it costs a question about each object: parameters.

use std::collections::BTreeSet;
use std::sync::Mutex;

use futures::FutureExt;
use futures::future::BoxFuture;
use rgctl_engine::execution::drive::{Begins, Environment, Job};
use rgctl_engine::execution::reconcile::{Session, reconcile_once};
use rgctl_engine::execution::turn::Pace;
use rgctl_model::journal::Outcome;
use rgctl_model::kinds::KindId;
use rgctl_model::node::Desired;
use rgctl_model::observed::{Inventory, Selection};
use rgctl_model::plan::Op;
use rgctl_model::policy::Policy;
use rgctl_model::ports::{Clock, Cloud, CloudError, Permit, Receipt};
use rgctl_model::scope::Home;
use rgctl_model::series::{Series, SeriesAsk};
use rgctl_schema::names::{BlueprintName, Fingerprint, RegionId, RunId, Token};
use rgctl_schema::time::Span;
use rgctl_testkit::fixtures::{address, cluster_store, desired};
use rgctl_testkit::site::{Quiet, Site, applying, block_on};
use serde_json::json;

/// A cloud that leaves unread what it may, as one does that looks for many.
struct Sparing<'a> {
    site: &'a Site,
    /// Who wanted to know everything, look by look.
    asked: Mutex<Vec<BTreeSet<BlueprintName>>>,
}

impl Cloud for Sparing<'_> {
    fn home<'a>(&'a self, near: Option<&'a RegionId>) -> BoxFuture<'a, Result<Home, CloudError>> {
        self.site.cloud.home(near)
    }
    fn observe<'a>(&'a self, wanted: &'a Selection) -> BoxFuture<'a, Result<Inventory, CloudError>> {
        async move {
            self.asked.lock().unwrap().push(wanted.whole.clone());
            let mut inventory = self.site.cloud.observe(wanted).await?;
            let groups =
                inventory.seen.iter_mut().filter(|(at, _)| at.kind == KindId::AuroraClusterParameters);
            for (_, seen) in groups.filter(|_| wanted.whole.is_empty()) {
                seen.attrs.set("parameters", None).unwrap();
                seen.facts.is_unread = true;
            }
            Ok(inventory)
        }
        .boxed()
    }
    fn call<'a>(
        &'a self,
        op: &'a Op,
        token: &'a Token,
        permit: &'a Permit,
    ) -> BoxFuture<'a, Result<Receipt, CloudError>> {
        self.site.cloud.call(op, token, permit)
    }
    fn series<'a>(&'a self, asks: &'a [SeriesAsk]) -> BoxFuture<'a, Vec<Result<Series, CloudError>>> {
        self.site.cloud.series(asks)
    }
}

fn wanted(limit: &str) -> Desired {
    let mut nodes = cluster_store("accounts", "us-east-1", 1, "db.r7g.large");
    let group = nodes.iter_mut().find(|node| node.address.kind == KindId::AuroraClusterParameters).unwrap();
    group.attrs.set("parameters", Some(json!({ "max_connections": limit }))).unwrap();
    Desired { fingerprint: Fingerprint(format!("with {limit}")), ..desired(nodes) }
}

/// Turns of a process that knows nothing but the record, until a run ends; how many looks wanted to know everything, and how
/// many there were.
fn until_rest(site: &Site, wanted: &Desired, name: &str) -> (Option<Outcome>, usize, usize) {
    let cloud = Sparing { site, asked: Mutex::default() };
    let clock = site.cloud.clock();
    let world = Environment { cloud: &cloud, clock: &clock, wall: &site.wall, store: &site.store };
    let (policy, pace) = (Policy::default(), Pace::default());
    let (mut session, mut outcome) = (Session::default(), None);
    for number in 0..200 {
        let run = RunId(format!("{name} {number}"));
        let job = Job { begins: Begins::Due, ..applying(wanted, &run, &policy, &pace) };
        let mut watch = Quiet { turns: 0, stop_after: None };
        let done = block_on(reconcile_once(&world, &job, &mut session, &mut watch)).unwrap();
        outcome = done.outcome;
        if outcome.is_some() {
            break;
        }
        site.cloud.advance(done.wake.since(clock.now())).unwrap();
    }
    let asked = cloud.asked.into_inner().unwrap();
    (outcome, asked.iter().filter(|whole| !whole.is_empty()).count(), asked.len())
}

#[test]
fn what_is_unread_is_taken_for_what_the_record_tells_and_nothing_is_done_about_it() {
    let (site, wanted) = (Site::new(3), wanted("500"));
    let (outcome, whole, looks) = until_rest(&site, &wanted, "makes it");
    assert_eq!(
        (outcome, whole),
        (Some(Outcome::Settled), looks),
        "while it is made, everything is looked at"
    );
    let calls = site.cloud.calls().len();
    // It knows nothing but what the record tells.
    let (outcome, whole, looks) = until_rest(&site, &wanted, "begins anew");
    assert_eq!((outcome, whole, looks), (Some(Outcome::Settled), 0, 1));
    assert_eq!(site.cloud.calls().len(), calls, "nothing was called");
}

#[test]
fn where_the_record_does_not_tell_that_all_is_as_wanted_everything_is_looked_at() {
    let site = Site::new(4);
    assert_eq!(until_rest(&site, &wanted("500"), "first").0, Some(Outcome::Settled));
    // Another hand changes what nobody reads at once.
    let group = address("us-east-1", KindId::AuroraClusterParameters, "game-accounts-use1");
    let attrs = rgctl_testkit::fixtures::attrs(
        KindId::AuroraClusterParameters,
        &[("parameters", json!({ "max_connections": "7" }))],
    );
    let by_hand = Op::Modify { address: group.clone(), changes: Vec::new(), attrs };
    block_on(site.cloud.call(&by_hand, &Token("by hand".into()), &Permit::always())).unwrap();
    site.cloud.advance(Span::from_mins(1)).unwrap();
    let calls = site.cloud.calls().len();
    // The same is wanted in other words, as by another version of the program.
    let same = Desired { fingerprint: Fingerprint("in other words".to_owned()), ..wanted("500") };
    let (outcome, whole, looks) = until_rest(&site, &same, "second");
    assert_eq!((outcome, whole), (Some(Outcome::Settled), looks));
    assert_eq!(site.cloud.calls().len(), calls + 1, "it was found, and set right");
    let seen = site.look(&same);
    assert_eq!(seen.seen[&group].attrs.get("parameters").unwrap()["max_connections"], "500");
}
