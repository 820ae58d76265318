//! The crash matrix: a run is cut off before and after every line it adds to the record and every call it makes; the
//! next run ends in the same world, with each object made once.

use std::collections::BTreeMap;

use rayon::prelude::*;
use rgctl_model::journal::Outcome;
use rgctl_model::node::Desired;
use rgctl_model::observed::Inventory;
use rgctl_model::plan::Op;

use rgctl_testkit::digests::{self, Digest, Fold};
use rgctl_testkit::fixtures::{cluster_store, consents, desired};
use rgctl_testkit::shipped::{SHIPPED, desired_of};
use rgctl_testkit::site::{Order, Site, cache_store};
use rgctl_testkit::taps::Cut;

/// One change of the world: how it is reached, and what is asked for then.
pub struct Case {
    pub name: String,
    pub before: Option<Desired>,
    pub wanted: Desired,
    pub order: Order,
}

/// The world as far as it can be compared: durations differ between runs that were cut off and runs that were not.
pub fn shape(inventory: &Inventory) -> BTreeMap<String, String> {
    let seen = inventory.seen.iter();
    // Names of final snapshots carry the time of their run.
    let name = |address: &rgctl_model::address::Address| {
        let text = address.to_string();
        text.split_once("-final-").map_or(text.clone(), |(stem, _)| format!("{stem}-final"))
    };
    seen.map(|(address, seen)| {
        let mut attrs = serde_json::to_value(&seen.attrs).unwrap();
        // The service places a member where it likes when nothing is asked for.
        attrs["attrs"]["zone"] = serde_json::Value::Null;
        (name(address), format!("{} {attrs}", seen.facts.phase))
    })
    .collect()
}

/// The digest of all calls that were made in a world.
pub fn digest(site: &Site) -> String {
    let mut fold = Fold::default();
    fold.add_calls(&site.cloud.calls());
    fold.digest()
}

/// Runs a case with every possible cut; yields how many cuts there were, and a digest of the calls of all of them.
fn survive(case: &Case, is_forgetful: bool) -> (usize, String) {
    let prepared = || {
        let mut site = Site::new(11);
        site.is_forgetful = is_forgetful;
        if let Some(before) = &case.before {
            assert_eq!(site.apply(before).outcome, Outcome::Settled);
        }
        site
    };
    let mut straight = prepared();
    let (ended, calls, appends) = straight.run_cut(&case.wanted, &case.order, Cut::Never);
    assert_eq!(ended.unwrap().unwrap().outcome, Outcome::Settled, "{}", case.name);
    let goal = shape(&straight.look(&case.wanted));
    let goal_creates = straight.creates();
    let failovers =
        |site: &Site| site.cloud.calls().iter().filter(|call| call.applied && is_act(&call.op)).count();
    let goal_acts = failovers(&straight);

    let cuts: Vec<Cut> = (1..=calls)
        .flat_map(|n| [Cut::BeforeCall(n), Cut::AfterCall(n)])
        .chain((1..=appends).flat_map(|n| [Cut::BeforeAppend(n), Cut::AfterAppend(n)]))
        .collect();
    let live = |cut: &Cut| {
        let mut site = prepared();
        let (ended, ..) = site.run_cut(&case.wanted, &case.order, *cut);
        assert!(ended.is_none(), "{} {cut:?} was not reached", case.name);
        let ended = site.run(&case.wanted, &case.order).unwrap();
        assert_eq!(ended.outcome, Outcome::Settled, "{} {cut:?}: {:#?}", case.name, ended.last);
        assert_eq!(shape(&site.look(&case.wanted)), goal, "{} {cut:?}", case.name);
        assert_eq!(site.creates(), goal_creates, "{} {cut:?}: each object is made once", case.name);
        assert_eq!(site.cloud.violations(), [], "{} {cut:?}", case.name);
        assert_eq!(failovers(&site), goal_acts, "{} {cut:?}: no act is done twice", case.name);
        digest(&site)
    };
    let lives: Vec<String> = cuts.par_iter().map(live).collect();
    let mut all = Fold::default();
    all.line(&digest(&straight));
    for (cut, life) in cuts.iter().zip(&lives) {
        let (place, number) = cut.place();
        all.line(&format!("{place} {number}: {life}"));
    }
    (cuts.len(), all.digest())
}

/// Survives every cut of these cases, compares the digests, and yields how many cuts there were.
fn survive_all(part: &str, cases: &[Case], is_forgetful: bool) -> usize {
    let mut total = 0;
    let mut found: Vec<Digest> = Vec::new();
    for case in cases {
        let (cuts, digest) = survive(case, is_forgetful);
        println!("crash matrix: {part}: {}: {cuts} cuts survived", case.name);
        total += cuts;
        found.push((format!("{} ({cuts} cuts)", case.name), digest));
    }
    digests::compare_all("crash", part, &found);
    total
}

fn is_act(op: &Op) -> bool {
    matches!(op, Op::Act { .. })
}

fn small_cases() -> Vec<Case> {
    let small = |class: &str, members| {
        desired(
            [cluster_store("accounts", "us-east-1", members, class), cache_store("rank", "us-east-1", 2)]
                .concat(),
        )
    };
    let case = |name: &str, before, wanted, order| Case { name: name.to_owned(), before, wanted, order };
    let large = small("db.r7g.large", 3);
    let fewer = desired(cluster_store("accounts", "us-east-1", 2, "db.r7g.large"));
    let policy = consents(&["delete:accounts@us-east-1", "delete:rank@us-east-1"]);
    vec![
        case("first apply", None, large.clone(), Order::default()),
        case("class change", Some(large.clone()), small("db.r7g.xlarge", 3), Order::default()),
        case(
            "a reader and a store less",
            Some(large.clone()),
            fewer,
            Order { policy: policy.clone(), ..Order::default() },
        ),
        case("destroy", Some(large.clone()), large, Order { policy, destroy: true, ..Order::default() }),
    ]
}

#[test]
fn the_first_apply_of_a_shipped_blueprint_survives_every_cut() {
    let case = |name: &str| Case {
        name: name.to_owned(),
        before: None,
        wanted: desired_of(name),
        order: Order::default(),
    };
    let total = survive_all("first apply", &SHIPPED.map(case), false);
    assert!(total > 300, "{total}");
}

#[test]
fn a_run_cut_off_anywhere_is_finished_by_the_next_one() {
    let total = survive_all("changes", &small_cases(), false);
    assert!(total > 120, "{total}");
}

/// The digests are those of runs that remember: the same calls with the same tokens at the same times.
#[test]
fn a_run_of_which_nothing_is_remembered_from_turn_to_turn_makes_the_same_calls_at_every_cut() {
    let total = survive_all("changes", &small_cases(), true);
    assert!(total > 120, "{total}");
}
