//! What goes wrong on request, what is measured, what is billed, and what must never happen.

use std::collections::BTreeMap;

use rgctl_model::kinds::KindId;
use rgctl_model::node::Usage;
use rgctl_model::plan::Op;
use rgctl_model::ports::{Cloud, CloudError};
use rgctl_model::series::{Series, SeriesAsk, Signal};
use rgctl_schema::phase::Phase;
use rgctl_schema::time::Span;
use rgctl_sim::{Broken, Fault, FaultPlan, GENESIS, Rule, Trailed, World};
use serde_json::json;

use super::{TestCloud, address, attrs, block_on, cluster_fields};

fn add(desk: &TestCloud, fault: Fault, lasts: Span, change: impl Fn(Rule) -> Rule) {
    desk.cloud
        .with_world(|world| {
            let now = world.now();
            world.add_fault(change(Rule::always(fault, now, now + lasts)))
        })
        .unwrap();
}

const HOUR: Span = Span::from_hours(1);

#[test]
fn a_lost_answer_leaves_an_object_or_none() {
    for applied in [true, false] {
        let desk = TestCloud::new(2);
        add(&desk, Fault::LostAnswer { applied }, HOUR, |rule| Rule { count: Some(1), ..rule });
        let cluster = address(KindId::AuroraCluster, "main");
        let lost = desk.create(&cluster, &cluster_fields());
        assert!(matches!(lost, Err(CloudError::Unclear { .. })), "{lost:?}");
        let again = desk.create(&cluster, &cluster_fields());
        assert_eq!(matches!(again, Err(CloudError::Conflict { .. })), applied, "{again:?}");
        assert_eq!(again.is_ok(), !applied);
    }
}

#[test]
fn a_call_that_does_nothing_is_accepted_all_the_same() {
    let desk = TestCloud::new(2);
    add(&desk, Fault::NoEffect, HOUR, |rule| Rule { count: Some(1), ..rule });
    let cluster = address(KindId::AuroraCluster, "main");
    desk.create(&cluster, &cluster_fields()).unwrap();
    assert!(!desk.cloud.with_world(|world| world.exists(&cluster)).unwrap());
    // It is struck once, and what is asked for again is done.
    desk.create(&cluster, &cluster_fields()).unwrap();
    assert!(desk.cloud.with_world(|world| world.exists(&cluster)).unwrap());
}

#[test]
fn a_call_that_the_service_refuses_is_refused_also_where_it_would_do_nothing() {
    let desk = TestCloud::new(2);
    let (cluster, other) = (address(KindId::AuroraCluster, "main"), address(KindId::AuroraCluster, "other"));
    desk.make(&cluster, &cluster_fields());
    add(&desk, Fault::NoEffect, HOUR, |rule| Rule { count: Some(1), ..rule });
    let again = desk.create(&cluster, &cluster_fields());
    assert!(matches!(again, Err(CloudError::Conflict { .. })), "{again:?}");
    let nobody = desk.delete(&other, None);
    assert!(matches!(nobody, Err(CloudError::NotFound { .. })), "{nobody:?}");
    // The refusals have not used it up.
    desk.create(&other, &cluster_fields()).unwrap();
    assert!(!desk.cloud.with_world(|world| world.exists(&other)).unwrap());
}

#[test]
fn a_call_that_arrives_late_is_in_the_trail_twice_when_it_was_made_and_when_it_came() {
    let desk = TestCloud::new(2);
    desk.cloud.with_world(|world| world.keep_trail(9)).unwrap();
    let cluster = address(KindId::AuroraCluster, "main");
    let by = Span::from_mins(10);
    add(&desk, Fault::LateCall { by }, HOUR, |rule| Rule { count: Some(2), ..rule });
    for _ in 0..2 {
        desk.create(&cluster, &cluster_fields()).unwrap_err();
    }
    let trail = || -> Vec<(bool, Option<String>)> {
        let line = |(_, line): (u64, &Trailed)| (line.is_late, line.refused.clone());
        desk.cloud.with_world(|world| world.trail().map(line).collect()).unwrap()
    };
    assert!(trail().len() == 2 && trail().iter().all(|(is_late, told)| !is_late && told.is_some()));
    desk.pass(by);
    let late = trail().split_off(2);
    assert_eq!(late[0], (true, None), "it was accepted when it came");
    assert!(late.len() == 2 && late[1].0 && late[1].1.is_some(), "and the other one refused: {late:?}");
}

#[test]
fn the_trail_has_the_last_calls_and_what_became_of_them_as_many_as_are_wanted() {
    let desk = TestCloud::new(2);
    let cluster = |name: &str| address(KindId::AuroraCluster, name);
    let trail = || -> Vec<(u64, String)> {
        let line = |(number, line): (u64, &Trailed)| {
            (number, format!("{} {}", line.step, line.refused.as_deref().unwrap_or("accepted")))
        };
        desk.cloud.with_world(|world| world.trail().map(line).collect()).unwrap()
    };
    desk.create(&cluster("one"), &cluster_fields()).unwrap();
    assert_eq!(trail(), [], "nobody asked for it");
    desk.cloud.with_world(|world| world.keep_trail(2)).unwrap();
    desk.create(&cluster("two"), &cluster_fields()).unwrap();
    add(&desk, Fault::Throttle, HOUR, |rule| Rule { count: Some(1), ..rule });
    desk.create(&cluster("three"), &cluster_fields()).unwrap_err();
    desk.create(&cluster("three"), &cluster_fields()).unwrap();
    let kept = trail();
    assert_eq!(kept.len(), 2, "{kept:?}");
    let (first, second) = (&kept[0], &kept[1]);
    assert!(
        first.0 == 2 && first.1.starts_with("create us-east-1/aurora.cluster/three throttled"),
        "{first:?}"
    );
    assert_eq!(*second, (3, "create us-east-1/aurora.cluster/three accepted".to_owned()));
    // Another process reads the same.
    let rows = desk.cloud.with_world(|world| {
        world.mark_all();
        world.take_changes()
    });
    let mut other = World::new(9, GENESIS);
    for (key, row) in rows.unwrap() {
        other.put_row(&key, row.as_deref()).unwrap();
    }
    assert_eq!(other.trail().map(|(number, _)| number).collect::<Vec<_>>(), [2, 3]);
    desk.cloud.with_world(|world| world.keep_trail(0)).unwrap();
    assert_eq!(trail(), []);
}

#[test]
fn throttling_ends_with_its_window() {
    let desk = TestCloud::new(2);
    add(&desk, Fault::Throttle, HOUR, |rule| rule);
    let cluster = address(KindId::AuroraCluster, "main");
    assert!(matches!(desk.create(&cluster, &cluster_fields()), Err(CloudError::Throttled { .. })));
    desk.pass(HOUR);
    desk.create(&cluster, &cluster_fields()).unwrap();
}

#[test]
fn stuck_slow_and_broken_creations() {
    let ready_after = |fault: Option<Fault>| {
        let desk = TestCloud::new(2);
        if let Some(fault) = fault {
            add(&desk, fault, Span::from_hours(5), |rule| rule);
        }
        let cluster = address(KindId::AuroraCluster, "main");
        desk.create(&cluster, &cluster_fields()).unwrap();
        let minutes = (1..1_000).find(|_| {
            desk.pass(Span::from_mins(1));
            desk.see(&cluster).is_some_and(|seen| seen.facts.phase != Phase::Creating)
        });
        (minutes.unwrap(), desk.see(&cluster).unwrap().facts.phase)
    };
    let (usual, phase) = ready_after(None);
    assert_eq!(phase, Phase::Ready);
    let (slow, _) = ready_after(Some(Fault::Slow { factor: 10.0 }));
    assert!(slow > 5 * usual, "{slow} against {usual}");
    let (stuck, phase) = ready_after(Some(Fault::Stuck));
    assert!((300..=310).contains(&stuck) && phase == Phase::Ready, "{stuck}");
    let (_, phase) = ready_after(Some(Fault::CreateFails));
    assert!(matches!(phase, Phase::Failed(_)), "{phase}");
}

#[test]
fn stale_reads_gaps_and_unheard_of_words() {
    let desk = TestCloud::new(2);
    let cluster = address(KindId::AuroraCluster, "main");
    add(&desk, Fault::StaleRead { lag: Span::from_secs(60) }, HOUR, |rule| rule);
    desk.create(&cluster, &cluster_fields()).unwrap();
    desk.pass(Span::from_secs(59));
    assert!(desk.see(&cluster).is_none());
    desk.pass(Span::from_secs(2));
    assert!(desk.see(&cluster).is_some());
    add(&desk, Fault::Gap, HOUR, |rule| Rule { kind: Some(KindId::AuroraCluster), ..rule });
    let inventory = desk.look();
    assert!(!inventory.is_complete_for(&cluster));
    assert!(inventory.is_complete_for(&address(KindId::CacheGroup, "cache")));
    desk.pass(HOUR);
    assert!(desk.look().is_complete_for(&cluster));
    add(&desk, Fault::UnknownStatus, HOUR, |rule| rule);
    assert!(matches!(desk.see(&cluster).unwrap().facts.phase, Phase::Unknown(_)));
    desk.pass(HOUR);
    assert_eq!(desk.see(&cluster).unwrap().facts.phase, Phase::Ready);
}

#[test]
fn another_hand_flips_a_switch() {
    let desk = TestCloud::new(2);
    let cluster = address(KindId::AuroraCluster, "main");
    let fields = json!({ "engine": "aurora-mysql", "iam_authentication": true });
    add(&desk, Fault::OtherHand, HOUR, |rule| Rule { count: Some(1), ..rule });
    desk.make(&cluster, &fields);
    let seen = desk.see(&cluster).unwrap();
    assert_eq!(seen.attrs.get("iam_authentication"), Some(json!(false)));
    assert_eq!(rgctl_engine::planning::tables::diff(&attrs(cluster.kind, &fields), &seen.attrs).len(), 1);
}

#[test]
fn a_swarm_of_faults_is_drawn_from_its_seed_and_heals() {
    let plan = |seed| FaultPlan::swarm(seed, GENESIS, HOUR);
    assert_eq!(plan(1), plan(1));
    let sizes: std::collections::BTreeSet<usize> = (0..50).map(|seed| plan(seed).rules.len()).collect();
    assert!(sizes.len() > 3, "{sizes:?}");
    for seed in 0..50 {
        let plan = plan(seed);
        assert!(plan.rules.iter().all(|rule| !rule.is_active(GENESIS + HOUR)));
        let text = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<FaultPlan>(&text).unwrap(), plan);
    }
}

fn measure(desk: &TestCloud, name: &str, kind: KindId, signal: Signal) -> Series {
    let now = desk.cloud.with_world(|world| world.now()).unwrap();
    let from = now - Span::from_days(1);
    let ask =
        SeriesAsk { address: address(kind, name), signal, from, until: now, period: Span::from_mins(5) };
    block_on(desk.cloud.series(&[ask])).remove(0).unwrap()
}

fn mean(series: &Series) -> f64 {
    series.samples.iter().map(|(_, value)| value).sum::<f64>() / series.samples.len() as f64
}

#[test]
fn load_shows_in_the_meters_late_and_less_on_bigger_machines() {
    let desk = TestCloud::new(2);
    let (cluster, members) = desk.cluster(2);
    let usage = Usage {
        reads_per_second: 4_000.0,
        writes_per_second: 500.0,
        data_gib: 100.0,
        growth_gib_per_month: 73.0,
        io_per_month: 0.0,
    };
    desk.cloud.set_load(&cluster, usage).unwrap();
    desk.pass(Span::from_days(2));
    let series = measure(&desk, "main-2", KindId::AuroraInstance, Signal::CpuPercent);
    let now = desk.cloud.with_world(|world| world.now()).unwrap();
    let (last, _) = *series.samples.last().unwrap();
    assert!(now.since(last) >= Span::from_mins(6), "the last minutes were delivered at once");
    let values: Vec<f64> = series.samples.iter().map(|(_, value)| *value).collect();
    let (low, most) = values.iter().fold((f64::MAX, 0.0_f64), |(l, m), v| (l.min(*v), m.max(*v)));
    assert!(most > 1.8 * low && most < 100.0, "{low} to {most}");
    let again = measure(&desk, "main-2", KindId::AuroraInstance, Signal::CpuPercent);
    assert_eq!(series, again);
    desk.modify(&members[1], &json!({ "class": "db.r7g.4xlarge" })).unwrap();
    desk.pass(Span::from_days(2));
    let bigger = measure(&desk, "main-2", KindId::AuroraInstance, Signal::CpuPercent);
    assert!(mean(&bigger) < mean(&series) / 2.0, "{} against {}", mean(&bigger), mean(&series));
    let used = desk.see(&cluster).unwrap().facts.used_gib.unwrap();
    assert!((109.0..111.0).contains(&used), "{used}");
    add(&desk, Fault::LateMetrics { lag: HOUR }, HOUR, |rule| rule);
    let late = measure(&desk, "main-2", KindId::AuroraInstance, Signal::CpuPercent);
    assert!(late.samples.len() + 11 < bigger.samples.len());
    assert!(measure(&desk, "main-9", KindId::AuroraInstance, Signal::CpuPercent).samples.is_empty());
}

#[test]
fn hours_are_billed_while_machines_run_and_storage_always() {
    let desk = TestCloud::new(2);
    let (cluster, _) = desk.cluster(1);
    desk.cloud.set_load(&cluster, Usage { data_gib: 10.0, ..Usage::default() }).unwrap();
    let hours = |sku: &str| {
        let used = desk.cloud.with_world(|world| world.used()).unwrap();
        used.iter().find(|used| used.line.sku == sku).map_or(0.0, |used| used.line.quantity)
    };
    let before = hours("db.r7g.xlarge");
    desk.pass(Span::from_hours(10));
    assert!((hours("db.r7g.xlarge") - before - 10.0).abs() < 1e-6);
    assert!((hours("storage") - 100.0).abs() < 1e-6, "{}", hours("storage"));
    desk.act(&cluster, rgctl_model::plan::Verb::Stop).unwrap();
    desk.pass(Span::from_hours(2));
    let stopped = hours("db.r7g.xlarge");
    desk.pass(Span::from_hours(10));
    assert!((hours("db.r7g.xlarge") - stopped).abs() < 1e-6, "a stopped machine is billed");
    assert!((hours("storage") - 220.0).abs() < 1e-6);
}

#[test]
fn one_token_for_two_objects_is_a_violation() {
    let desk = TestCloud::new(2);
    for name in ["one", "two"] {
        let address = address(KindId::AuroraCluster, name);
        let op = Op::Create { attrs: attrs(address.kind, &cluster_fields()), address, tags: BTreeMap::new() };
        desk.call_with(&op, "same").unwrap();
    }
    let broken: Vec<Broken> = desk.cloud.violations().iter().map(|violation| violation.broken).collect();
    assert_eq!(broken, [Broken::TokenTwice]);
}

#[test]
fn taking_out_all_members_together_is_a_violation() {
    let desk = TestCloud::new(2);
    let (_, members) = desk.cluster(2);
    for member in &members {
        desk.act(member, rgctl_model::plan::Verb::Reboot).unwrap();
    }
    let broken: Vec<Broken> = desk.cloud.violations().iter().map(|violation| violation.broken).collect();
    assert_eq!(broken, [Broken::AllMembersDown]);
    let alone = TestCloud::new(2);
    let (_, members) = alone.cluster(1);
    alone.act(&members[0], rgctl_model::plan::Verb::Reboot).unwrap();
    assert_eq!(alone.cloud.violations(), []);
}

#[test]
fn deleting_data_without_a_snapshot_is_a_violation_where_one_is_expected() {
    for expected in [true, false] {
        let desk = TestCloud::new(2);
        desk.cloud.with_world(|world| world.expect_snapshots(expected)).unwrap();
        desk.make(&address(KindId::AuroraCluster, "main"), &cluster_fields());
        desk.delete(&address(KindId::AuroraCluster, "main"), None).unwrap();
        assert_eq!(desk.cloud.violations().len(), usize::from(expected));
        desk.make(&address(KindId::AuroraCluster, "other"), &cluster_fields());
        desk.delete(&address(KindId::AuroraCluster, "other"), Some("kept")).unwrap();
        assert_eq!(desk.cloud.violations().len(), usize::from(expected));
    }
}

#[test]
fn an_observer_sees_its_own_and_what_bears_its_names() {
    let desk = TestCloud::new(2);
    let make = |name: &str, owner: Option<&str>| {
        let address = address(KindId::AuroraCluster, name);
        let tags = owner.map(|owner| ("rgctl:blueprint".to_owned(), owner.to_owned())).into_iter().collect();
        desk.call(&Op::Create { attrs: attrs(address.kind, &cluster_fields()), address, tags }).unwrap();
    };
    make("game-a", Some("game"));
    make("game-b", None);
    make("gamebox-a", None);
    make("named-otherwise", Some("game"));
    make("other", Some("other"));
    desk.pass(HOUR);
    let owner = Some(rgctl_schema::names::BlueprintName::new("game").unwrap());
    let regions = std::iter::once(address(KindId::AuroraCluster, "x").region).collect();
    let scope = rgctl_model::observed::Selection { regions, owner, ..Default::default() };
    let names: Vec<String> = block_on(desk.cloud.observe(&scope))
        .unwrap()
        .seen
        .keys()
        .map(|address| address.name.to_string())
        .collect();
    assert_eq!(names, ["game-a", "game-b", "named-otherwise"]);
}
