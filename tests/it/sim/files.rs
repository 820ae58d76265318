//! One world for several processes, and the command.

use std::path::Path;

use clap::Parser;
use rgctl::cli::sim::{ShowAs, run};
use rgctl::cli::sim_args::{SimArgs, SimCommandError};
use rgctl_model::kinds::KindId;
use rgctl_model::ports::{Clock, Cloud, CloudError};
use rgctl_schema::time::Span;
use rgctl_sim::{GENESIS, Side, SimCloud};
use rgctl_store::objects::WorldFile;
use serde_json::json;

use super::{TestCloud, address, block_on, cluster_fields, member_fields};

/// The rows without the id of the world, which is its own.
fn nameless(cloud: &SimCloud) -> String {
    let id = cloud.with_world(|world| world.id().to_owned()).unwrap();
    json_of(cloud).replace(&id, "ID")
}

#[test]
fn each_new_world_is_an_account_of_its_own_which_it_stays() {
    let folder = crate::cli::folder();
    let id = |cloud: &SimCloud| cloud.with_world(|world| world.id().to_owned()).unwrap();
    let cloud = SimCloud::open(&WorldFile::under(folder.path())).unwrap();
    let first = id(&cloud);
    assert_eq!(id(&SimCloud::open(&WorldFile::under(folder.path())).unwrap()), first);
    assert_eq!(SimCloud::peek(&WorldFile::under(folder.path())).unwrap().1.account(), first);
    let other = SimCloud::open(&WorldFile::under(folder.path())).unwrap();
    SimCloud::anew(&WorldFile::under(folder.path()), 0, GENESIS).unwrap();
    let second = SimCloud::peek(&WorldFile::under(folder.path())).unwrap().1;
    assert_ne!(second.account(), first);
    assert_eq!(block_on(other.home(None)).unwrap(), second, "also in a process that knew the old one");
}

fn json_of(cloud: &SimCloud) -> String {
    cloud.with_world(|world| world.to_json()).unwrap()
}

/// Some life: a cluster, members, a change, a failover.
fn live(desk: &TestCloud) {
    let (cluster, members) = desk.cluster(3);
    desk.modify(&cluster, &json!({ "backup_retention_days": 9 })).unwrap();
    desk.pass(Span::from_hours(1));
    desk.delete(&members[0], None).unwrap();
    desk.look();
    desk.pass(Span::from_secs(7));
}

#[test]
fn the_same_seed_gives_the_same_world_and_another_seed_another() {
    let world = |seed| {
        let desk = TestCloud::new(seed);
        live(&desk);
        nameless(&desk.cloud)
    };
    assert_eq!(world(5), world(5));
    let without_seed = |seed: u64| world(seed).replace(&format!("\"seed\":{seed}"), "");
    assert_ne!(without_seed(5), without_seed(6));
}

#[test]
fn one_more_object_shifts_no_other() {
    let lasts = |with_another: bool| {
        let desk = TestCloud::new(5);
        if with_another {
            desk.create(&address(KindId::AuroraCluster, "another"), &cluster_fields()).unwrap();
        }
        let cluster = address(KindId::AuroraCluster, "main");
        desk.create(&cluster, &cluster_fields()).unwrap();
        (0..2_000).find(|_| {
            desk.pass(Span::from_secs(1));
            desk.see(&cluster).is_some_and(|seen| seen.facts.phase.is_ready())
        })
    };
    assert!(lasts(false).is_some());
    assert_eq!(lasts(false), lasts(true));
}

#[test]
fn what_one_process_does_another_sees_and_goes_on_with() {
    let folder = crate::cli::folder();
    let first = TestCloud::of(SimCloud::open(&WorldFile::under(folder.path())).unwrap());
    let second = TestCloud::of(SimCloud::open(&WorldFile::under(folder.path())).unwrap());
    live(&first);
    let clock = second.cloud.clock();
    assert_eq!(clock.now(), first.cloud.clock().now());
    assert_eq!(json_of(&first.cloud), json_of(&second.cloud));
    second.pass(Span::from_hours(1));
    second.create(&address(KindId::AuroraInstance, "main-9"), &member_fields("main", 3)).unwrap();
    first.pass(Span::from_hours(1));
    assert!(first.see(&address(KindId::AuroraInstance, "main-9")).is_some());
    let third = SimCloud::open(&WorldFile::under(folder.path())).unwrap();
    assert_eq!(json_of(&third), json_of(&first.cloud));
    first.cloud.reset(3, GENESIS).unwrap();
    assert_eq!(nameless(&second.cloud), nameless(&SimCloud::in_memory(3, GENESIS)));
}

#[test]
fn a_world_on_disk_is_the_world_in_memory() {
    let folder = crate::cli::folder();
    let on_disk = TestCloud::of(SimCloud::anew(&WorldFile::under(folder.path()), 8, GENESIS).unwrap());
    let in_memory = TestCloud::new(8);
    live(&on_disk);
    live(&in_memory);
    assert_eq!(nameless(&on_disk.cloud), nameless(&in_memory.cloud));
}

#[test]
fn a_call_that_breaks_off_has_happened_or_not_as_asked() {
    for (side, exists) in [(Side::Before, false), (Side::After, true)] {
        let folder = crate::cli::folder();
        let desk = TestCloud::of(SimCloud::open(&WorldFile::under(folder.path())).unwrap());
        desk.cloud.crash_at(1, side);
        let cluster = address(KindId::AuroraCluster, "main");
        let broken = desk.create(&cluster, &cluster_fields());
        assert!(matches!(broken, Err(CloudError::Unclear { .. })), "{broken:?}");
        assert!(matches!(desk.create(&cluster, &cluster_fields()), Err(CloudError::Unreachable { .. })));
        assert!(desk.cloud.has_crashed());
        let next = TestCloud::of(SimCloud::open(&WorldFile::under(folder.path())).unwrap());
        next.pass(Span::from_secs(6));
        assert_eq!(next.see(&cluster).is_some(), exists);
        let applied: Vec<bool> = desk.cloud.calls().iter().map(|call| call.applied).collect();
        assert_eq!(applied, [exists]);
    }
}

#[test]
fn sleepers_wake_in_order_and_time_never_passes_one() {
    let desk = TestCloud::new(1);
    let clock = desk.cloud.clock();
    let order = std::cell::RefCell::new(Vec::new());
    let nap = |seconds: u64| {
        let (clock, order) = (&clock, &order);
        async move {
            clock.sleep_until(GENESIS + Span::from_secs(seconds)).await;
            order.borrow_mut().push((seconds, clock.now().since(GENESIS).as_secs()));
        }
    };
    block_on(async { futures::join!(nap(30), nap(10), nap(20)) });
    assert_eq!(order.into_inner(), [(10, 10), (20, 20), (30, 30)]);
    let cut_short = block_on(async {
        let long = clock.sleep_until(GENESIS + Span::from_hours(9));
        let short = clock.sleep_until(GENESIS + Span::from_secs(40));
        futures::future::select(long, short).await;
        clock.now().since(GENESIS).as_secs()
    });
    assert_eq!(cut_short, 40, "the longer sleep won");
    block_on(clock.sleep_until(GENESIS + Span::from_secs(50)));
    assert_eq!(clock.now().since(GENESIS).as_secs(), 50);
}

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    sim: SimArgs,
    /// The whole program has it as a global option.
    #[arg(short, global = true)]
    output: Option<String>,
}

fn sim(folder: &Path, line: &str) -> Result<(u8, String, String), String> {
    let words = std::iter::once("sim").chain(line.split(' '));
    let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let show_as = if line.output.as_deref() == Some("json") { ShowAs::Json } else { ShowAs::Text };
    let code = run(&line.sim, folder, show_as, &mut out, &mut err)
        .map_err(|error: SimCommandError| error.to_string())?;
    Ok((code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap()))
}

#[test]
fn the_command_resets_advances_shows_breaks_and_loads() {
    let folder = crate::cli::folder();
    let folder = folder.path();
    sim(folder, "reset --seed 4 --start 2026-06-01T00:00:00Z").unwrap();
    TestCloud::of(SimCloud::open(&WorldFile::under(folder)).unwrap())
        .create(&address(KindId::AuroraCluster, "main"), &cluster_fields())
        .unwrap();
    let (code, _, talk) = sim(folder, "advance 1h30m").unwrap();
    assert_eq!((code, talk.as_str()), (0, "it is 2026-06-01T01:30:00Z\n"));
    let object = "us-east-1/aurora.cluster/main";
    sim(folder, &format!("edit {object} backup_retention_days=3")).unwrap();
    sim(folder, &format!("load {object} --data-gib 100 --reads 5000")).unwrap();
    sim(folder, "fault add slow --factor 2 --for 20m").unwrap();
    sim(folder, "kill-region us-west-2").unwrap();
    let (_, text, _) = sim(folder, "show").unwrap();
    assert!(text.contains(&format!("{object}  available")), "{text}");
    let (_, text, _) = sim(folder, "show -o json").unwrap();
    let shown: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(shown["objects"][object]["attrs"]["attrs"]["backup_retention_days"], json!(3));
    assert_eq!(shown["objects"][object]["facts"]["used_gib"], json!(100.0));
    assert_eq!(shown["faults"].as_array().unwrap().len(), 2);
    let (_, list, _) = sim(folder, "fault list").unwrap();
    assert!(list.contains("region-loss") && list.contains("us-west-2"), "{list}");
    sim(folder, "fault clear").unwrap();
    assert_eq!(sim(folder, "fault list").unwrap().1, "");
}

#[test]
fn bad_arguments_are_refused_and_change_nothing() {
    let folder = crate::cli::folder();
    let folder = folder.path();
    sim(folder, "reset").unwrap();
    TestCloud::of(SimCloud::open(&WorldFile::under(folder)).unwrap())
        .make(&address(KindId::AuroraCluster, "main"), &cluster_fields());
    let before = json_of(&SimCloud::open(&WorldFile::under(folder)).unwrap());
    for line in [
        "advance soon",
        "edit us-east-1/aurora.cluster/main backup_retention_days=many",
        "edit us-east-1/aurora.cluster/main port=1 no_such_field=1",
        "edit us-east-1/aurora.cluster/nobody port=1",
        "edit here port=1",
        "load us-east-1/aurora.cluster/main --reads=-1",
        "load us-east-1/aurora.cluster/main --reads NaN",
        "load us-east-1/aurora.cluster/nobody",
        "fault add slow --factor=-1",
        "fault add throttle --probability 2",
        "fault add zone-loss",
        "fault add throttle --kind nothing",
        "fault clear 7",
        "kill-region Mars",
    ] {
        assert!(sim(folder, line).is_err(), "{line}");
    }
    assert_eq!(json_of(&SimCloud::open(&WorldFile::under(folder)).unwrap()), before);
}

#[test]
fn a_damaged_file_is_told_apart_from_a_disk_that_fails_and_a_reset_replaces_it() {
    let folder = crate::cli::folder();
    let folder = folder.path();
    SimCloud::open(&WorldFile::under(folder)).unwrap();
    std::fs::write(folder.join(WorldFile::NAME), "this is no database. ".repeat(100)).unwrap();
    let error = SimCloud::open(&WorldFile::under(folder)).unwrap_err();
    assert!(error.is_damage(), "{error}");
    SimCloud::anew(&WorldFile::under(folder), 1, GENESIS).unwrap();
    assert!(SimCloud::open(&WorldFile::under(folder)).unwrap().with_world(|world| world.is_empty()).unwrap());

    let blocked = folder.join("file");
    std::fs::write(&blocked, "").unwrap();
    let error = SimCloud::open(&WorldFile::under(&blocked.join("state"))).unwrap_err();
    assert!(!error.is_damage(), "a folder that cannot be made is no damaged world: {error}");
}
