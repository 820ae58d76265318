//! A store that bore data, and would be made anew without it: the data's removal by ourselves has begun, and has not come to
//! its end.

use std::collections::BTreeSet;

use rayon::prelude::*;
use rgctl_model::address::Address;
use rgctl_model::journal::Outcome;
use rgctl_model::kinds::KindId;
use rgctl_model::node::Desired;
use rgctl_model::observed::{Inventory, Observed};
use rgctl_model::plan::Op;
use rgctl_model::policy::Policy;
use rgctl_model::rules::{Allowance, Policies, Rules};
use rgctl_schema::names::{Fingerprint, RegionId, StoreName};
use rgctl_schema::time::Span;
use rgctl_sim::GENESIS;
use serde_json::json;

use crate::agreed::quiet_site;
use rgctl_testkit::fixtures::{address, cluster_store, consents, desired, lines};
use rgctl_testkit::site::{Order, Site, cache_store};
use rgctl_testkit::swarm_blueprint::desired_of;
use rgctl_testkit::taps::Cut;

const HOME: &str = "{ primary: us-east-1 }";
const TWO: &str = "{ primary: us-east-1, secondaries: [us-west-2], secondaryRole: reads }";

/// A store of each family, alone and, where there is such a thing, with a global object.
const STORES: [(&str, &str); 9] = [
    ("engine: aurora-mysql, class: db.r6g.large, readers: 1", HOME),
    ("engine: aurora-postgresql, class: db.r6g.large", TWO),
    ("engine: documentdb, class: db.r6g.large, readers: 1", HOME),
    ("engine: documentdb, class: db.r6g.large", TWO),
    ("engine: valkey, class: cache.r7g.large, shards: 1, replicasPerShard: 1", HOME),
    ("engine: valkey, class: cache.r7g.large, shards: 1, replicasPerShard: 1", TWO),
    ("engine: valkey, serverless: { maxData: 10GB }", HOME),
    ("engine: redshift, nodes: 2", HOME),
    ("engine: redshift, serverless: { baseRpu: 32 }", HOME),
];

fn wanted(store: &str, regions: &str) -> Desired {
    let text = format!(
        "apiVersion: rgctl.dev/v1alpha1\nkind: Blueprint\nmetadata: {{ name: game }}\nspec:\n  demand: {{ players: {{ \
         peakConcurrent: 1k }}, requestsPerPlayerPerMinute: 6 }}\n  objectives: {{ availability: 99%, p99: 100ms, rto: \
         2d, rpo: 2d }}\n  regions: {regions}\n  stores:\n    - {{ name: s, {store} }}\n"
    );
    desired_of(&text, GENESIS).unwrap_or_else(|error| panic!("{store}: {error:?}"))
}

/// Where consent is needed, told from the world alone: something of the store is left in a region, and its data there has
/// gone. What a primary fills again is not asked for: a secondary counts where no data stands anywhere.
fn emptied(wanted: &Desired, world: &Inventory) -> BTreeSet<String> {
    let primary = rgctl_testkit::fixtures::region("us-east-1");
    let is_standing = |(address, seen): &(&Address, &Observed)| {
        !seen.facts.phase.is_going() && !address.kind.facts().observe_only
    };
    let standing: Vec<&Address> = world.seen.iter().filter(is_standing).map(|(address, _)| address).collect();
    let bears = |address: &Address| address.kind.facts().holds_data;
    let data: Vec<&Address> = wanted.nodes.keys().filter(|address| bears(address)).collect();
    let is_nowhere = !standing.iter().any(|address| bears(address));
    let is_half = |region: &RegionId| {
        let here = || standing.iter().filter(|address| address.region == *region);
        here().next().is_some() && !here().any(|address| bears(address))
    };
    let any_half = data.iter().any(|address| is_half(&address.region));
    let asked = data.iter().filter(|address| {
        if address.region == primary {
            is_half(&primary) || is_nowhere && any_half
        } else {
            is_nowhere && any_half
        }
    });
    asked.map(|address| format!("empty:s@{}", address.region)).collect()
}

/// Applied, and then cut off while it is destroyed.
fn cut_destroy(wanted: &Desired, cut: Cut) -> (Site, bool) {
    let mut site = quiet_site(31);
    assert_eq!(site.apply(wanted).outcome, Outcome::Settled);
    let policy = consents(&["delete:s@us-east-1", "delete:s@us-west-2"]);
    let (ended, ..) = site.run_cut(wanted, &Order { policy, destroy: true, ..Order::default() }, cut);
    (site, ended.is_none())
}

fn makes_data(site: &Site, from: usize) -> bool {
    let calls = site.cloud.calls();
    calls[from..].iter().any(|call| {
        matches!(&call.op, Op::Create { address, .. } if address.kind.facts().holds_data) && call.applied
    })
}

#[test]
fn after_a_destroy_that_was_cut_off_data_is_made_anew_only_by_consent_in_every_family() {
    STORES.into_par_iter().for_each(|(store, regions)| {
        let wanted = wanted(store, regions);
        let mut site = quiet_site(31);
        site.apply(&wanted);
        let policy = consents(&["delete:s@us-east-1", "delete:s@us-west-2"]);
        let order = Order { policy, destroy: true, ..Order::default() };
        let (_, calls, appends) = site.run_cut(&wanted, &order, Cut::Never);
        let cuts: Vec<Cut> = (1..=calls)
            .flat_map(|n| [Cut::BeforeCall(n), Cut::AfterCall(n)])
            .chain((1..=appends).map(Cut::AfterAppend))
            .collect();
        let asked = cuts.par_iter().filter(|cut| {
            let (mut site, is_cut) = cut_destroy(&wanted, **cut);
            assert!(is_cut, "{store} {cut:?}");
            site.cloud.advance(Span::from_hours(1)).unwrap();
            let expected = emptied(&wanted, &site.look(&wanted));
            let plan = site.plan_under(&wanted, &Order::default());
            let options = plan.options().unwrap_or_default();
            let options: BTreeSet<String> = options.split(" --allow ").map(str::to_owned).collect();
            let asked = options.iter().map(|option| option.trim_start_matches("--allow "));
            let asked: BTreeSet<&str> = asked.filter(|option| option.starts_with("empty:")).collect();
            let expected: BTreeSet<&str> = expected.iter().map(String::as_str).collect();
            // A member that has left its global object does not come back into it: it is replaced, by consents of its own.
            let is_alone = regions == HOME;
            let is_right = if is_alone { asked == expected } else { asked.is_superset(&expected) };
            assert!(is_right, "{store} {cut:?}: {asked:?}, not {expected:?}: {:#?}", lines(&plan));
            if expected.is_empty() {
                let ended = site.apply(&wanted);
                let is_done = ended.outcome == Outcome::Settled;
                assert!(is_done || !is_alone, "{store} {cut:?}: {:#?}", ended.last.held);
                return false;
            }
            let from = site.cloud.calls().len();
            assert_eq!(site.apply(&wanted).outcome, Outcome::Blocked, "{store} {cut:?}");
            assert!(!makes_data(&site, from), "{store} {cut:?}");
            let policy = consents(&["empty:s@us-east-1", "empty:s@us-west-2"]);
            let ended = site.run(&wanted, &Order { policy, ..Order::default() }).unwrap();
            let is_done = ended.outcome == Outcome::Settled;
            assert!(is_done || !is_alone, "{store} {cut:?}: {:#?}", ended.last.held);
            true
        });
        let (count, all) = (asked.count(), cuts.len());
        println!("{store} in {regions}: {all} cuts, asked after {count}");
        // What is one object with data and nothing else has no half; of a namespace its workgroup goes first.
        assert!(count > 0 || store.contains("serverless"), "{store}");
        assert!(count < all, "{store}");
    });
}

/// A store that is half removed: its data has gone, its groups are there.
fn half_removed(wanted: &Desired) -> Site {
    let sites = (1..40).map(|call| cut_destroy(wanted, Cut::AfterCall(call)).0);
    let mut half = sites.filter(|site| {
        site.cloud.advance(Span::from_hours(1)).unwrap();
        !emptied(wanted, &site.look(wanted)).is_empty()
    });
    half.next().expect("a cut in the middle")
}

#[test]
fn a_removal_that_came_to_its_end_is_followed_by_a_store_that_is_new() {
    for (store, regions) in STORES {
        let wanted = wanted(store, regions);
        let (mut site, is_cut) = cut_destroy(&wanted, Cut::Never);
        assert!(!is_cut);
        site.cloud.advance(Span::from_days(90)).unwrap();
        assert_eq!(site.plan_under(&wanted, &Order::default()).options(), None, "{store}");
        assert_eq!(site.apply(&wanted).outcome, Outcome::Settled, "{store}");
    }
}

#[test]
fn a_half_removed_store_is_remembered_over_runs_that_are_about_something_else() {
    let alone = wanted(STORES[0].0, HOME);
    let mut site = half_removed(&alone);
    let mut more = alone.clone();
    for node in cache_store("rank", "us-east-1", 1) {
        more.nodes.insert(node.address.clone(), node);
    }
    more.fingerprint = Fingerprint("more".into());
    let targets = [StoreName::new("rank").unwrap()].into();
    let order = Order { policy: Policy { targets, ..Policy::default() }, ..Order::default() };
    assert_eq!(site.run(&more, &order).unwrap().outcome, Outcome::Settled);
    let order = Order { policy: consents(&["delete:rank@us-east-1"]), ..Order::default() };
    let options = |wanted: &Desired| site.plan_under(wanted, &order).options();
    assert_eq!(options(&alone).as_deref(), Some("--allow empty:s@us-east-1"));
    // Also where it would stand in another region, or in another form.
    let moved = wanted("engine: aurora-mysql, class: db.r6g.large", "{ primary: us-west-2 }");
    assert_eq!(options(&moved).as_deref(), Some("--allow empty:s@us-west-2"));
    let other = wanted("engine: documentdb, class: db.r6g.large", HOME);
    assert_eq!(options(&other).as_deref(), Some("--allow empty:s@us-east-1"));
}

#[test]
fn a_half_removed_store_that_leaves_the_blueprint_is_new_when_it_comes_back() {
    let wanted = wanted(STORES[0].0, HOME);
    let mut site = half_removed(&wanted);
    let mut without = wanted.clone();
    without.nodes.clear();
    without.fingerprint = Fingerprint("without".into());
    assert_eq!(site.apply(&without).outcome, Outcome::Settled);
    assert_eq!(site.plan_under(&wanted, &Order::default()).options(), None);
}

/// Stores that are replaced: as they are made first, and as they are wanted then.
fn replaced() -> [(Desired, Desired); 2] {
    let with = |mut nodes: Vec<rgctl_model::node::Node>, kind: KindId, field: &str, value| {
        let node = nodes.iter_mut().find(|node| node.address.kind == kind).unwrap();
        node.attrs.set(field, Some(value)).unwrap();
        desired(nodes)
    };
    let cluster = || cluster_store("s", "us-east-1", 2, "db.r7g.large");
    let cache = || cache_store("s", "us-east-1", 1);
    [
        (
            with(cluster(), KindId::AuroraCluster, "database", json!("a")),
            with(cluster(), KindId::AuroraCluster, "database", json!("b")),
        ),
        (
            with(cache(), KindId::CacheGroup, "port", json!(6379)),
            with(cache(), KindId::CacheGroup, "port", json!(6380)),
        ),
    ]
}

#[test]
fn a_replacement_that_was_agreed_to_is_finished_without_being_asked_for_again_unless_it_is_forbidden() {
    for (before, mut after) in replaced() {
        after.fingerprint = Fingerprint("after".into());
        let policy = consents(&["replace:s@us-east-1", "empty:s@us-east-1"]);
        let order = Order { policy, ..Order::default() };
        let root = after.nodes.keys().find(|address| address.kind.facts().holds_data).unwrap().clone();
        let mut forbidden = after.clone();
        let mut policies = Policies::usual();
        policies.consent.empty = Allowance::Never;
        forbidden.rules = vec![Rules { policies, calendar: Vec::new(), cells: Vec::new() }];
        let prepared = || {
            let mut site = quiet_site(33);
            assert_eq!(site.apply(&before).outcome, Outcome::Settled);
            site
        };
        let (ended, calls, _) = prepared().run_cut(&after, &order, Cut::Never);
        assert_eq!(ended.unwrap().unwrap().outcome, Outcome::Settled);
        let mut went_on = 0;
        for call in 1..=calls {
            let mut site = prepared();
            site.run_cut(&after, &order, Cut::AfterCall(call));
            let stands = site.look(&after).seen.get(&root).is_some_and(|seen| !seen.facts.phase.is_going());
            let is_old = stands && !site.plan_under(&after, &Order::default()).steps.is_empty();
            let plan = site.plan_under(&after, &Order::default());
            if is_old && plan.options().is_some() {
                let all = "--allow replace:s@us-east-1 --allow empty:s@us-east-1";
                assert_eq!(plan.options().as_deref(), Some(all), "{root} {call}");
                continue;
            }
            assert_eq!(plan.options(), None, "{root} {call}: {:#?}", lines(&plan));
            if !stands {
                went_on += 1;
                let refused = site.plan_under(&forbidden, &Order::default());
                let why = refused.refusals().into_iter().map(|refusal| refusal.why).collect::<String>();
                assert!(why.contains("`policies.consent.empty: never`"), "{root} {call}: {why}");
            }
            let ended = site.apply(&after);
            assert_eq!(ended.outcome, Outcome::Settled, "{root} {call}: {:#?}", ended.last.held);
        }
        assert!(went_on > 0, "{root}");
    }
}

#[test]
fn a_deletion_that_was_never_made_and_is_no_longer_wanted_leaves_its_object_on_record() {
    let wanted = desired(cache_store("s", "us-east-1", 1));
    let mut site = Site::new(34);
    site.apply(&wanted);
    let policy = consents(&["delete:s@us-east-1"]);
    let policy = Policy { skip_final_snapshot: true, ..policy };
    site.run_cut(&wanted, &Order { policy, destroy: true, ..Order::default() }, Cut::BeforeCall(1));
    assert_eq!(site.apply(&wanted).outcome, Outcome::Settled);
    let group = address("us-east-1", KindId::CacheGroup, "game-s");
    let claims = site.claims("game");
    assert!(claims.should_exist(&group) && claims.removals.is_empty(), "{claims:#?}");
}
