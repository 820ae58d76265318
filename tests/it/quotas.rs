//! Known quotas are planned: what would exceed one is said before anything is begun.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::BoxFuture;

use rgctl::cli::figures::CatalogFigures;
use rgctl_engine::execution::drive::{Environment, Job, Watch, drive};
use rgctl_engine::execution::turn::{Pace, Turn};
use rgctl_engine::gate::{GateInput, Verdicts, authorise};
use rgctl_engine::planning::{self, PlanInput};
use rgctl_model::claims::{Claimed, Claims};
use rgctl_model::journal::Outcome;
use rgctl_model::kinds::KindId;
use rgctl_model::node::Desired;
use rgctl_model::observed::Inventory;
use rgctl_model::plan::{Answer, Op, Plan, Step};
use rgctl_model::policy::{Authority, Policy};
use rgctl_model::ports::{Cloud, CloudError};
use rgctl_model::quota::{AccountQuota, OverQuota};
use rgctl_schema::names::{RegionId, RunId};
use rgctl_schema::time::Span;
use rgctl_sim::{Fault, GENESIS, Rule, SimCloud};
use serde_json::json;

use crate::cli::Place;
use rgctl_testkit::fixtures::{
    NOW, address, ask, cluster_store, consents, desired, no_verdicts, node, region, world_of,
};
use rgctl_testkit::shipped::catalog;
use rgctl_testkit::site::{Order, Site, applying, block_on, cache_store};
use rgctl_testkit::swarm_blueprint::CATALOG;
use rgctl_testkit::tampered::{Tampered, Tampers};

/// What of a plan would be too much, with the usual quotas of the catalog.
fn over(wanted: &Desired, seen: &Inventory, own: &[AccountQuota]) -> Vec<OverQuota> {
    let policy = consents(&["delete:s0@us-east-1", "delete:s1@us-east-1"]);
    plan(wanted, seen, own, &policy).over_quota
}

/// The plan under the quotas that the account told when it was asked.
fn plan(wanted: &Desired, seen: &Inventory, own: &[AccountQuota], policy: &Policy) -> Plan {
    let figures = CatalogFigures::new(catalog(), wanted, NOW);
    let verdicts = Verdicts { quotas: planning::known_quotas(own.to_vec(), seen), ..Verdicts::default() };
    planning::plan(&PlanInput { figures: &figures, verdicts: &verdicts, ..ask(wanted, seen, policy) })
}

fn stores(count: usize) -> Desired {
    desired(
        (0..count).flat_map(|n| cluster_store(&format!("s{n}"), "us-east-1", 1, "db.r7g.large")).collect(),
    )
}

fn clusters(limit: u64, used: Option<u64>) -> AccountQuota {
    AccountQuota { region: region("us-east-1"), kind: KindId::AuroraCluster, limit, used, alone: false }
}

fn steps(over: &[OverQuota]) -> Vec<String> {
    over.iter().flat_map(|one| one.steps.iter().map(ToString::to_string)).collect()
}

#[test]
fn more_stores_than_an_account_may_have_at_first_are_told_by_the_plan() {
    let empty = Inventory::empty(NOW);
    let most = catalog().limit_number("aurora", "db-clusters", "us-east-1").unwrap();
    let few = usize::try_from(most).unwrap();
    let of_clusters = |over: Vec<OverQuota>| -> Vec<OverQuota> {
        over.into_iter().filter(|one| one.what == "db-clusters").collect()
    };
    assert_eq!(of_clusters(over(&stores(few), &empty, &[])), []);
    let told = of_clusters(over(&stores(few + 1), &empty, &[]));
    assert_eq!((told[0].would_be, told[0].limit, told[0].own), (most + 1, most, false));
    assert_eq!(told[0].steps.len(), 1, "only what does not fit");
}

#[test]
fn the_quota_of_the_account_itself_goes_before_the_usual_one() {
    let empty = Inventory::empty(NOW);
    assert_eq!(over(&stores(2), &empty, &[clusters(40, Some(38))]), []);
    let told = over(&stores(2), &empty, &[clusters(40, Some(39))]);
    assert_eq!(steps(&told), ["create us-east-1/aurora.cluster/game-s1-use1"]);
    assert!(
        told[0].own && told[0].to_string().contains("40 are allowed by the account's quota"),
        "{}",
        told[0]
    );
    // Where the account does not tell what is in use, what is seen counts.
    let world = world_of(&stores(1));
    assert_eq!(over(&stores(2), &world, &[clusters(2, None)]), []);
    assert_eq!(steps(&over(&stores(2), &world, &[clusters(1, None)])).len(), 1);
}

#[test]
fn what_is_removed_or_does_not_grow_is_never_over_a_quota() {
    let world = world_of(&stores(2));
    let full = [clusters(1, Some(2))];
    assert_eq!(over(&stores(1), &world, &full), [], "one goes");
    let mut bigger = stores(2);
    for node in bigger.nodes.values_mut().filter(|node| node.address.kind == KindId::AuroraInstance) {
        node.attrs.set("class", Some(json!("db.r7g.xlarge"))).unwrap();
    }
    assert_eq!(over(&bigger, &world, &full), [], "no more of them");
}

#[test]
fn one_cache_with_more_nodes_than_one_may_have_is_told() {
    let most =
        catalog().limit_number("elasticache", "nodes-per-cluster-cluster-mode-default", "us-east-1").unwrap();
    let shards = u32::try_from(most).unwrap();
    let told = over(&desired(cache_store("rank", "us-east-1", shards)), &Inventory::empty(NOW), &[]);
    assert!(told.iter().any(|one| one.what == "nodes in game-rank" && one.would_be == most * 2), "{told:#?}");
    let raised = AccountQuota {
        region: region("us-east-1"),
        kind: KindId::CacheGroup,
        limit: 100,
        used: Some(0),
        alone: true,
    };
    assert_eq!(
        over(&desired(cache_store("rank", "us-east-1", shards)), &Inventory::empty(NOW), &[raised]),
        []
    );
}

#[test]
fn the_embedded_cloud_tells_its_quotas_with_what_is_in_use_and_with_what_was_raised() {
    let cloud = SimCloud::in_memory(1, GENESIS).with_catalog(Arc::clone(&CATALOG));
    let regions: BTreeSet<RegionId> = [region("us-east-1")].into();
    let of = |cloud: &SimCloud, kind: KindId| -> Option<AccountQuota> {
        block_on(cloud.quotas(&regions)).unwrap().into_iter().find(|quota| quota.kind == kind)
    };
    let usual = of(&cloud, KindId::AuroraCluster).unwrap();
    assert_eq!((usual.used, usual.alone), (Some(0), false));
    let rule = Rule {
        kind: Some(KindId::AuroraCluster),
        ..Rule::always(Fault::Quota { limit: 77 }, GENESIS, GENESIS + Span::from_days(1))
    };
    cloud.with_world(|world| world.add_fault(rule)).unwrap();
    let raised = of(&cloud, KindId::AuroraCluster).unwrap();
    assert_eq!((raised.limit, raised.alone), (77, true));
}

/// Of every family, what holds its data.
const STORES: [KindId; 4] =
    [KindId::AuroraCluster, KindId::DocumentCluster, KindId::CacheGroup, KindId::RedshiftCluster];

fn of_kind(kind: KindId, names: &[&str]) -> Desired {
    desired(names.iter().map(|name| node(address("us-east-1", kind, name), "s", &[], &[])).collect())
}

/// What the account may have of a kind, whatever else the catalog says of it.
fn only(kind: KindId, limit: u64) -> [AccountQuota; 1] {
    [AccountQuota { region: region("us-east-1"), kind, limit, used: None, alone: true }]
}

fn answers(plan: &Plan) -> Vec<(&str, bool)> {
    let is_no = |step: &Step| matches!(&step.answer, Answer::No { allow, .. } if allow.is_empty());
    plan.steps.iter().map(|step| (step.op.address().name.as_str(), is_no(step))).collect()
}

#[test]
fn the_gate_refuses_what_is_over_a_quota_and_lets_the_others_go_in_every_family() {
    for kind in STORES {
        let nothing = Inventory::empty(NOW);
        let made = plan(&of_kind(kind, &["game-a", "game-b"]), &nothing, &only(kind, 1), &Policy::default());
        assert_eq!(answers(&made), [("game-a", false), ("game-b", true)], "{kind}");
        let refusal = made.refusals()[0];
        assert!(refusal.why.contains("1 are allowed by the account's quota"), "{kind}: {refusal:?}");
        assert!(refusal.remedy.contains("have the quota raised"), "{kind}: {refusal:?}");
        // Asked for one step, right before its call, the gate says the same.
        let policy = Policy::default();
        let asked = |over_quota| GateInput {
            rules: &[],
            policy: &policy,
            verdicts: no_verdicts(),
            over_quota,
            authority: Authority::Person,
            now: NOW,
        };
        assert_eq!(authorise(&made.steps[1], &asked(&made.over_quota)), made.steps[1].answer, "{kind}");
        assert_eq!(authorise(&made.steps[1], &asked(&[])), Answer::Go, "{kind}");
    }
}

#[test]
fn repairing_and_removing_are_never_refused_by_a_quota_in_every_family() {
    for kind in STORES {
        let wanted = of_kind(kind, &["game-a"]);
        let figures = CatalogFigures::new(catalog(), &wanted, NOW);
        let nothing = Inventory::empty(NOW);
        let full = Verdicts {
            quotas: planning::known_quotas(only(kind, 0).to_vec(), &nothing),
            ..Verdicts::default()
        };
        let mut claims = Claims::default();
        claims
            .objects
            .insert(address("us-east-1", kind, "game-a"), Claimed { is_done: true, ..Claimed::default() });
        let policy = consents(&["empty:s@us-east-1", "delete:s@us-east-1"]);
        let ask = PlanInput { figures: &figures, verdicts: &full, ..ask(&wanted, &nothing, &policy) };
        let repair = planning::plan(&PlanInput { claims: &claims, ..ask });
        assert!(repair.steps[0].repairs, "{kind}");
        assert_eq!(answers(&repair), [("game-a", false)], "{kind}");
        assert_eq!(
            answers(&planning::plan(&ask)),
            [("game-a", true)],
            "{kind}: the same, never there before"
        );
        let world = world_of(&wanted);
        // Not even where the snapshot that a removal leaves is over one.
        let snapshots = kind.facts().final_snapshot.map(|snapshot| only(snapshot, 0)[0].clone());
        let own: Vec<AccountQuota> = only(kind, 0).into_iter().chain(snapshots).collect();
        let removal = plan(&desired(Vec::new()), &world, &own, &policy);
        assert_eq!(answers(&removal), [("game-a", false)], "{kind}");
    }
}

#[test]
fn a_repair_takes_its_place_back_before_anything_new_does() {
    let wanted = of_kind(KindId::AuroraCluster, &["game-a", "game-z"]);
    let nothing = Inventory::empty(NOW);
    let known = planning::known_quotas(only(KindId::AuroraCluster, 1).to_vec(), &nothing);
    let verdicts = Verdicts { quotas: known, ..Verdicts::default() };
    let mut claims = Claims::default();
    let lost = address("us-east-1", KindId::AuroraCluster, "game-z");
    claims.objects.insert(lost, Claimed { is_done: true, ..Claimed::default() });
    let policy = consents(&["empty:s@us-east-1"]);
    let made = planning::plan(&PlanInput {
        verdicts: &verdicts,
        claims: &claims,
        ..ask(&wanted, &nothing, &policy)
    });
    assert_eq!(answers(&made), [("game-a", true), ("game-z", false)]);
}

#[test]
fn machines_that_are_added_are_refused_over_a_quota_and_those_that_go_are_not() {
    let cases = [("elasticache", "nodes-per-region"), ("redshift", "nodes")];
    for (kind, (service, item)) in [KindId::CacheGroup, KindId::RedshiftCluster].into_iter().zip(cases) {
        let most = catalog().limit_number(service, item, "us-east-1").unwrap();
        // Many at the brim together, so that no bound of a single one is met.
        let of = |each: u64| {
            let names: Vec<String> = (0..most / 10).map(|number| format!("game-{number:04}")).collect();
            let fields = |count: u64| match kind {
                KindId::CacheGroup => vec![("shards", json!(count)), ("replicas_per_shard", json!(0))],
                _ => vec![("nodes", json!(count)), ("node_type", json!("ra3.xlplus"))],
            };
            let last = names.len() - 1;
            let count = |place: usize| if place == last { each } else { 10 };
            let nodes = names.iter().enumerate();
            desired(
                nodes
                    .map(|(n, name)| node(address("us-east-1", kind, name), "s", &fields(count(n)), &[]))
                    .collect(),
            )
        };
        let policy = consents(&["shrink:s@us-east-1"]);
        let answer = |before, after| {
            let made = plan(&of(after), &world_of(&of(before)), &[], &policy);
            made.steps.into_iter().next().expect("a step").answer
        };
        let room = most % 10;
        assert_eq!(answer(9, 10 + room), Answer::Go, "{kind}: up to the limit");
        assert!(matches!(answer(10, 11 + room), Answer::No { .. }), "{kind}");
        assert_eq!(answer(20, 12 + room), Answer::Go, "{kind}: over it, and less so");
    }
}

#[test]
fn what_may_not_be_removed_makes_no_room() {
    let world = world_of(&stores(1));
    let other = desired(cluster_store("s9", "us-east-1", 1, "db.r7g.large"));
    let refused = |policy: &Policy| {
        let made = plan(&other, &world, &[clusters(1, None)], policy);
        made.steps.iter().any(|step| {
            matches!(step.op, Op::Create { .. })
                && step.op.address().kind == KindId::AuroraCluster
                && matches!(step.answer, Answer::No { .. })
        })
    };
    assert!(!refused(&consents(&["delete:s0@us-east-1"])));
    assert!(refused(&Policy::default()));
}

/// A kind that may not be made any more, whatever was there before.
fn allow_none(site: &Site, kind: KindId) {
    let until = GENESIS + Span::from_days(3_650);
    let rule = Rule { kind: Some(kind), ..Rule::always(Fault::Quota { limit: 0 }, GENESIS, until) };
    site.cloud.with_world(|world| world.add_fault(rule)).unwrap();
}

#[test]
fn a_run_never_calls_for_what_is_over_a_quota_also_where_the_plan_was_agreed_to_before() {
    for agreed in [false, true] {
        let mut site = Site::new(3);
        let wanted = desired(
            [cluster_store("accounts", "us-east-1", 2, "db.r7g.large"), cache_store("rank", "us-east-1", 1)]
                .concat(),
        );
        let mut order = Order::default();
        order.agreed = agreed.then(|| site.plan_under(&wanted, &order));
        allow_none(&site, KindId::CacheGroup);
        let ended = site.run(&wanted, &order).unwrap();
        assert_eq!(ended.outcome, Outcome::Blocked);
        let held = &ended.last.held;
        assert!(!held.is_empty() && held.iter().all(|held| held.is_refused), "{held:#?}");
        assert!(held[0].why.contains("0 are allowed by the account's quota"), "{held:#?}");
        let calls = site.cloud.calls();
        let of = |kind: KindId| calls.iter().filter(|call| call.op.address().kind == kind).count();
        assert_eq!((of(KindId::CacheGroup), of(KindId::AuroraInstance)), (0, 2), "agreed: {agreed}");
        // Once it is raised, the same command goes on.
        site.cloud.with_world(|world| world.clear_faults(None)).unwrap();
        assert_eq!(site.run(&wanted, &order).unwrap().outcome, Outcome::Settled, "agreed: {agreed}");
    }
}

#[test]
fn what_a_run_has_made_counts_as_it_goes_on() {
    let mut site = Site::new(4);
    let until = GENESIS + Span::from_days(3_650);
    let kind = Some(KindId::AuroraInstance);
    let rule = Rule { kind, ..Rule::always(Fault::Quota { limit: 3 }, GENESIS, until) };
    site.cloud.with_world(|world| world.add_fault(rule)).unwrap();
    let wanted = desired(cluster_store("accounts", "us-east-1", 5, "db.r7g.large"));
    let ended = site.run(&wanted, &Order::default()).unwrap();
    assert_eq!(ended.last.held.len(), 2, "{:#?}", ended.last.held);
    assert!(ended.last.held.iter().all(|held| held.why.contains("3 are allowed")), "{:#?}", ended.last.held);
    let calls = site.cloud.calls();
    let made = calls.iter().filter(|call| call.op.address().kind == KindId::AuroraInstance);
    assert_eq!(made.map(|call| call.told.is_ok()).collect::<Vec<_>>(), [true; 3]);
}

/// An account that does not tell its quotas.
struct Silent<'a>(&'a SimCloud);

impl Tampers for Silent<'_> {
    fn cloud(&self) -> &dyn Cloud {
        self.0
    }
    fn quotas<'a>(
        &'a self,
        _: &'a BTreeSet<RegionId>,
    ) -> BoxFuture<'a, Result<Vec<AccountQuota>, CloudError>> {
        let denied = CloudError::Denied { code: "AccessDenied".into(), message: "not yours".into() };
        Box::pin(std::future::ready(Err(denied)))
    }
}

#[test]
fn quotas_that_cannot_be_read_are_a_warning_and_the_usual_ones_count() {
    let site = Site::new(5);
    let most = catalog().limit_number("aurora", "db-clusters", "us-east-1").unwrap();
    let count = usize::try_from(most).unwrap() + 1;
    let wanted = desired(
        (0..count)
            .map(|n| cluster_store(&format!("s{n}"), "us-east-1", 1, "db.r7g.large").remove(2))
            .map(|mut cluster| {
                cluster.needs.clear();
                cluster
            })
            .collect(),
    );
    let figures = CatalogFigures::new(catalog(), &wanted, NOW);
    let (clock, silent) = (site.cloud.clock(), Tampered(Silent(&site.cloud)));
    let world = Environment { cloud: &silent, clock: &clock, wall: &site.wall, store: &site.store };
    let (run, policy, pace) = (RunId("silent".to_owned()), Policy::default(), Pace::default());
    let job = Job { figures: &figures, ..applying(&wanted, &run, &policy, &pace) };
    let mut watch = Lines::default();
    let ended = block_on(drive(&world, &job, &mut watch)).unwrap();
    let warned: Vec<&String> = watch.0.iter().filter(|line| line.contains("could not be read")).collect();
    assert!(warned.len() == 1 && warned[0].contains("us-east-1"), "{:?}", watch.0);
    let refused = ended.last.held.iter().filter(|held| held.is_refused).count();
    assert_eq!(refused, 1, "{:#?}", ended.last.held);
}

/// What a person is told.
#[derive(Default)]
struct Lines(Vec<String>);

impl Watch for Lines {
    fn turned(&mut self, _: &Turn, _: &Inventory) {}
    fn stopping(&mut self) -> bool {
        false
    }
    fn told(&mut self, line: &str) {
        self.0.push(line.to_owned());
    }
}

const GAME: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/blueprints/light-game.yaml");

fn lower(place: &Place) {
    let add = ["sim", "fault", "add", "quota", "--kind", "elasticache.group", "--limit", "0"];
    let added = place.run(&add);
    assert_eq!(added.code, 0, "{}", added.talk);
}

fn has_cache(place: &Place) -> bool {
    let shown = place.run(&["sim", "show"]).data;
    shown.lines().any(|line| line.contains("elasticache.group") && line.contains("light-game-ranking-use1"))
}

#[test]
fn a_step_over_a_quota_is_refused_where_it_stands_and_at_the_end_and_the_others_are_done() {
    let place = Place::new();
    lower(&place);
    let plan = place.run(&["plan", "-f", GAME]);
    assert_eq!(plan.code, 0, "{}", plan.talk);
    let at_step = plan.data.split("create elasticache.group").nth(1).unwrap_or_default();
    let at_step = at_step.split("\n\n").next().unwrap_or_default();
    assert!(at_step.contains("held    refused, as told at the end"), "{}", plan.data);
    let end = plan.data.split("\nRefused\n").nth(1).expect("a section at the end");
    assert!(end.contains("1 step: us-east-1: 1 elasticache.group would be wanted, 0 are allowed"), "{end}");
    assert!(plan.data.contains("\nOver quota\n"), "{}", plan.data);
    let left = place.run(&["apply", "-f", GAME, "--yes"]);
    assert_eq!(left.code, 4, "{}\n{}", left.data, left.talk);
    assert!(left.data.contains("0 are allowed by the account's quota"), "{}", left.data);
    assert!(!has_cache(&place) && place.run(&["sim", "show"]).data.contains("aurora.instance"));
    let history = place.run(&["history", "light-game", "-o", "json"]).data;
    assert!(!history.contains("elasticache.group"), "never a call: {history}");
    assert_eq!(place.run(&["sim", "fault", "clear"]).code, 0);
    let left = place.run(&["apply", "-f", GAME, "--yes"]);
    assert_eq!(left.code, 0, "{}\n{}", left.data, left.talk);
    assert!(has_cache(&place));
}

#[test]
fn a_saved_plan_is_held_to_the_quotas_of_the_moment_in_which_it_is_carried_out() {
    let place = Place::new();
    assert_eq!(place.run(&["plan", "-f", GAME, "--out", "plan.json"]).code, 0);
    lower(&place);
    let left = place.run(&["apply", "plan.json", "--yes"]);
    assert_eq!(left.code, 4, "{}\n{}", left.data, left.talk);
    assert!(left.data.contains("0 are allowed by the account's quota"), "{}", left.data);
    assert!(!has_cache(&place));
    // And the other way round: what was refused when it was saved goes once there is room.
    let place = Place::new();
    lower(&place);
    assert_eq!(place.run(&["plan", "-f", GAME, "--out", "plan.json"]).code, 0);
    assert_eq!(place.run(&["sim", "fault", "clear"]).code, 0);
    let left = place.run(&["apply", "plan.json", "--yes"]);
    assert_eq!(left.code, 0, "{}\n{}", left.data, left.talk);
    assert!(has_cache(&place));
}

#[test]
fn a_plan_of_which_nothing_may_be_done_for_quotas_is_refused_before_anything_is_begun() {
    let place = Place::new();
    assert_eq!(place.run(&["sim", "fault", "add", "quota", "--limit", "0"]).code, 0);
    let left = place.run(&["apply", "-f", GAME, "--yes"]);
    assert_eq!(left.code, 4, "{}\n{}", left.data, left.talk);
    assert!(
        left.talk.contains("nothing was done") && left.talk.contains("have the quota raised"),
        "{}",
        left.talk
    );
    let history = place.run(&["history", "light-game"]);
    assert!(!history.data.contains("calls"), "{}", history.data);
}
