//! Agents as processes: what they do to a world, what they hear, and what a daemon meets.
//!
//! Real time passes here, since what is shown is what the operating system does; virtual time passes 3,600 times as fast.

#![expect(clippy::disallowed_methods, reason = "real processes live in real time")]

use std::io::{BufRead, BufReader};
use std::process::Command;
use std::time::{Duration, Instant};

use rgctl_model::ports::Store;
use rgctl_model::scope::Scope;
use rgctl_schema::names::{BlueprintName, RunId};
use rgctl_schema::time::{Moment, Span};
use rgctl_sim::SimCloud;
use rgctl_store::journal::SqliteStore;
use rgctl_store::objects::WorldFile;

use super::running::{
    LARGE, PATIENCE, Running, SMALL, address_in, blueprint, get, gets, has_room, place, status_of,
};

#[test]
fn an_agent_that_acts_once_makes_what_is_wanted_and_a_second_one_finds_nothing_to_do() {
    let place = place(&[("one", SMALL), ("two", SMALL)]);
    let observed = Running::start(&place, &["--no-listen", "--once"]).ends();
    assert_eq!(
        observed,
        (2, "2 blueprints: 2 pending; 2 turns\n".to_owned()),
        "without `--apply` nothing is done"
    );
    let (code, data) = Running::start(&place, &["--no-listen", "--once", "--apply"]).ends();
    assert_eq!(code, 0, "{data}");
    assert!(data.starts_with("2 blueprints: 2 ready; "), "{data}");
    assert_eq!(place.run(&["plan", "-f", "blueprints/one.yaml", "--detailed-exitcode"]).code, 0);
    let record =
        || ["one", "two"].map(|name| place.run(&["history", "-f", &format!("blueprints/{name}.yaml")]).data);
    let before = record();
    // How many turns that takes depends on how fast the world goes on meanwhile.
    let (code, data) = Running::start(&place, &["--no-listen", "--once", "--apply"]).ends();
    assert_eq!(code, 0, "{data}");
    assert!(data.starts_with("2 blueprints: 2 ready; "), "{data}");
    assert_eq!(record(), before, "nothing was begun");
}

#[test]
fn files_that_change_break_come_and_go_are_followed_and_nothing_is_deleted() {
    let place = place(&[("one", SMALL), ("two", SMALL)]);
    let mut agent = Running::start(&place, &["--no-listen", "--apply"]);
    agent.says_each(&[&["\"one\"", "\"ready\""], &["\"two\"", "\"ready\""]]);
    // Half of one is written, and a file of the other comes.
    let (whole, other) = (blueprint("one", LARGE), blueprint("two", SMALL));
    place.write("blueprints/one.yaml", &whole[..whole.len() / 2]);
    place.write("blueprints/copy.yaml", &other);
    let broken = ["the file cannot be used", "its last good text stays in force", "line "];
    agent.says_each(&[&broken, &["two files have this blueprint", "\"two\""]]);
    place.write("blueprints/one.yaml", &whole);
    std::fs::remove_file(place.path().join("blueprints/copy.yaml")).unwrap();
    agent.says_each(&[&["one file has this blueprint again"], &["\"one\"", "\"progressing\""]]);
    agent.says(&["\"one\"", "\"ready\""]);
    assert!(status_of(&place, "one").contains(LARGE), "{}", status_of(&place, "one"));
    for name in ["one", "two"] {
        let file = place.path().join(format!("blueprints/{name}.yaml"));
        std::fs::rename(file, place.path().join(format!("{name}.yaml"))).unwrap();
    }
    let gone = "the file is gone: nothing is deleted";
    agent.says_each(&[&["\"one\"", gone], &["\"two\"", gone]]);
    let (code, data) = agent.stop_it();
    assert_eq!((code, data.split(';').next()), (0, Some("0 blueprints")), "{data}");
    for file in ["one.yaml", "two.yaml"] {
        let left = place.run(&["plan", "-f", file, "--detailed-exitcode"]);
        assert_eq!(left.code, 0, "everything is still there: {}", left.data);
    }
}

#[test]
fn orders_reach_an_agent_through_the_store_and_outlive_it() {
    let place = place(&[("one", SMALL)]);
    let mut agent = Running::start(&place, &["--no-listen", "--apply"]);
    agent.says(&["\"one\"", "\"ready\""]);
    assert_eq!(place.run(&["agent", "pause", "one"]).code, 0);
    agent.says(&["ordered", "Pause"]);
    agent.says(&["\"one\"", "\"paused\"", "let rest"]);
    place.write("blueprints/one.yaml", &blueprint("one", LARGE));
    // The one that comes after it is in force no sooner, and is made.
    place.write("blueprints/two.yaml", &blueprint("two", SMALL));
    agent.says(&["\"two\"", "\"ready\""]);
    assert_eq!(agent.stop_it().0, 0);
    assert!(status_of(&place, "one").contains(SMALL));
    // The next one is bound by it, too.
    let mut agent = Running::start(&place, &["--no-listen", "--apply"]);
    agent.says(&["\"one\"", "\"paused\""]);
    let orders = place.run(&["agent", "orders"]).data;
    assert!(orders.starts_with("paused: one, by "), "{orders}");
    assert_eq!(place.run(&["agent", "resume", "--all"]).code, 0);
    agent.says(&["\"one\"", "\"ready\""]);
    assert_eq!(agent.stop_it().0, 0);
    assert!(status_of(&place, "one").contains(LARGE));
}

#[test]
fn a_region_that_is_held_out_while_an_agent_runs_is_left_alone_all_else_settles_and_its_release_makes_it_whole()
 {
    const CELLS: &str = "{ cells: [{ name: east, primary: us-east-1, demandShare: 50% }, \
                         { name: west, primary: us-west-2, demandShare: 50% }] }";
    let in_cells = |class| blueprint("one", class).replace("{ primary: us-east-1 }", CELLS);
    let place = place(&[]);
    place.write("blueprints/one.yaml", &in_cells(SMALL));
    let mut agent = Running::start(&place, &["--no-listen", "--apply"]);
    agent.says(&["\"one\"", "\"ready\""]);
    let regions = |line: &[&str]| {
        let left = place.run(&[&["region"], line, &["-f", "blueprints/one.yaml"]].concat());
        assert_eq!(left.code, 0, "{}", left.talk);
    };
    let groups = || {
        let status = status_of(&place, "one");
        ["one-ranking-use1", "one-ranking-usw2"].map(|group| {
            let line = status
                .lines()
                .find(|line| line.contains("elasticache.group ") && line.contains(group))
                .unwrap_or_default();
            line.contains(LARGE)
        })
    };
    regions(&["hold-out", "us-west-2", "--reason", "flood"]);
    agent.says(&["\"one\"", "\"blocked\"", "us-west-2 is held out", "flood"]);
    // Somebody's hand there, and another wish: both would have it act there.
    let group = "us-west-2/elasticache.group/one-ranking-usw2";
    assert_eq!(place.run(&["sim", "edit", group, "snapshot_retention_days=9"]).code, 0);
    place.write("blueprints/one.yaml", &in_cells(LARGE));
    agent.says(&["\"one\"", "\"progressing\""]);
    agent.says(&["\"one\"", "\"blocked\"", "us-west-2 is held out", "flood"]);
    assert_eq!(groups(), [true, false], "it settles elsewhere: {}", status_of(&place, "one"));
    let world = place.run(&["sim", "show", "-o", "json"]).data;
    assert!(world.contains("\"snapshot_retention_days\": 9"), "nothing is put right there: {world}");
    regions(&["release", "us-west-2", "--reason", "dry"]);
    agent.says(&["\"one\"", "\"ready\""]);
    assert_eq!(groups(), [true, true], "{}", status_of(&place, "one"));
    let world = place.run(&["sim", "show", "-o", "json"]).data;
    assert!(!world.contains("\"snapshot_retention_days\": 9"), "{world}");
    assert_eq!(agent.stop_it().0, 0);
    let left = place.run(&["plan", "-f", "blueprints/one.yaml", "--detailed-exitcode"]);
    assert_eq!(left.code, 0, "{}", left.data);
}

#[test]
fn a_signal_closes_an_open_run_and_gives_its_lease_back_and_a_second_one_leaves_at_once() {
    let place = place(&[("one", SMALL)]);
    // Slow enough that the run is open for a while.
    let mut agent = Running::start(&place, &["--no-listen", "--apply", "--pace", "60"]);
    agent.says(&["\"one\"", "calls"]);
    let (code, data) = agent.stop_it();
    assert_eq!(code, 0, "{data}");
    let history = place.run(&["history", "one"]).data;
    assert!(history.contains("stopped"), "{history}");
    assert!(!status_of(&place, "one").contains("lease:"), "{}", status_of(&place, "one"));
    let mut agent = Running::start(&place, &["--no-listen", "--apply", "--pace", "3600"]);
    agent.says(&["\"one\"", "\"ready\""]);
    assert_eq!(agent.stop_it().0, 0);
    place.write("blueprints/one.yaml", &blueprint("one", LARGE));
    let mut agent = Running::start(&place, &["--no-listen", "--apply", "--pace", "3600"]);
    agent.says(&["\"one\"", "calls"]);
    agent.signal("INT");
    agent.signal("INT");
    let code = agent.ends().0;
    assert!(code == 130 || code == 0, "{code}");
}

#[test]
fn a_file_that_goes_while_its_run_is_open_has_the_run_closed_and_its_lease_given_back() {
    let place = place(&[("one", SMALL), ("two", SMALL)]);
    let mut agent = Running::start(&place, &["--no-listen", "--apply", "--pace", "60"]);
    agent.says(&["\"one\"", "calls"]);
    std::fs::rename(place.path().join("blueprints/one.yaml"), place.path().join("kept.yaml")).unwrap();
    agent.says(&["the file is gone: nothing is deleted"]);
    let status = || place.run(&["status", "-f", "kept.yaml"]).data;
    let began = Instant::now();
    while !place.run(&["history", "one"]).data.contains("stopped") {
        assert!(began.elapsed() < PATIENCE, "its run was never closed: {}", status());
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(!status().contains("lease:"), "{}", status());
    assert_eq!(agent.stop_it().0, 0);
}

#[test]
fn health_and_numbers_are_told_on_loopback() {
    let place = place(&[("one", SMALL)]);
    let mut agent = Running::start(&place, &["--listen", "127.0.0.1:0", "--apply"]);
    let address = &agent.address();
    agent.says(&["\"one\"", "\"ready\""]);
    assert!(get(address, "/healthz").starts_with("HTTP/1.1 200"));
    gets(address, "/readyz", &["HTTP/1.1 200"]);
    let lines =
        ["rgctl_blueprints{condition=\"ready\"} 1", "rgctl_cloud_looks_total{", "region=\"us-east-1\"} "];
    gets(address, "/metrics", &lines);
    // A second agent cannot have the same address, and says so before it does anything.
    let second = Running::start(&place, &["--listen", address]);
    assert_eq!(second.ends().0, 6);
    assert_eq!(agent.stop_it().0, 0);
}

#[test]
fn an_agent_that_was_stopped_while_another_took_its_lease_does_nothing_under_it_and_goes_on_after() {
    let place = place(&[("one", SMALL)]);
    let mut agent = Running::start(&place, &["--no-listen", "--apply", "--pace", "60"]);
    agent.says(&["\"one\"", "calls"]);
    let state = place.path().join(".rgctl");
    agent.stop_between_transactions(&state);
    let store = SqliteStore::open(&state).unwrap();
    let (_, home) = SimCloud::peek(&WorldFile::under(&state)).unwrap();
    let scope = Scope::new(home, BlueprintName::new("one").unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let taken = runtime.block_on(async {
        let watched = store.lease(&scope).await.unwrap().unwrap();
        let (run, lasts) = (RunId("another".to_owned()), Span::from_mins(1));
        store
            .take_lease(&scope, &run, "bob@elsewhere (process 1)", Moment::EPOCH, lasts, Some(&watched))
            .await
    });
    let taken = taken.unwrap();
    let lines = runtime.block_on(store.entries(&scope, 0)).unwrap().len();
    agent.signal("CONT");
    agent.says_while_time_flies(&place, &["\"one\"", "\"held\"", "bob@elsewhere"]);
    assert_eq!(runtime.block_on(store.entries(&scope, 0)).unwrap().len(), lines, "it wrote nothing");
    runtime.block_on(store.release_lease(&taken)).unwrap();
    agent.says_while_time_flies(&place, &["\"one\"", "\"ready\""]);
    assert_eq!(agent.stop_it().0, 0);
    assert_eq!(place.run(&["plan", "-f", "blueprints/one.yaml", "--detailed-exitcode"]).code, 0);
}

#[test]
fn a_world_that_is_damaged_is_said_and_does_not_make_the_agent_spin() {
    let place = place(&[("one", SMALL)]);
    let mut agent = Running::start(&place, &["--listen", "127.0.0.1:0", "--apply"]);
    let address = &agent.address();
    agent.says(&["\"one\"", "\"ready\""]);
    let file = rusqlite::Connection::open(place.path().join(".rgctl/sim.sqlite")).unwrap();
    file.busy_timeout(Duration::from_secs(10)).unwrap();
    file.execute_batch(
        "UPDATE objects SET body = '{', version = version + 1000000 WHERE key LIKE 'object/%'",
    )
    .unwrap();
    agent.says(&["regions that do not answer", "us-east-1"]);
    let (_, home) = SimCloud::peek(&WorldFile::under(&place.path().join(".rgctl"))).unwrap();
    let order = ["agent", "reconcile", "one", "--account", &home.to_string()];
    let (more, share) = agent.lives_on(|| assert_eq!(place.run(&order).code, 0));
    assert!(more < 15, "{more} lines in a second");
    assert!(share < 0.5, "{share} of a processor");
    assert!(get(address, "/readyz").starts_with("HTTP/1.1 503"));
    assert!(get(address, "/healthz").starts_with("HTTP/1.1 200"), "to start it anew would mend nothing");
    assert_eq!(agent.stop_it().0, 0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_is_full_is_said_and_nothing_is_called_that_cannot_be_recorded() {
    let place = place(&[("one", SMALL)]);
    let exe = assert_cmd::cargo::cargo_bin!("rgctl");
    // The signal would end the process; a full disk sends none.
    let line = format!(
        "trap '' XFSZ; exec {} agent run -f blueprints --log-format json --pace 3600 --no-listen --apply",
        exe.display()
    );
    // What it is to do is in force before the disk is full, and begun by nobody until then.
    assert_eq!(Running::start(&place, &["--no-listen", "--once", "--apply"]).ends().0, 0);
    place.write("blueprints/one.yaml", &blueprint("one", LARGE));
    assert_eq!(place.run(&["agent", "pause", "one"]).code, 0);
    let mut agent = Running::spawn(Command::new("bash").args(["-c", &line]), place.path());
    agent.says(&["\"one\"", "\"paused\""]);
    has_room(agent.child.id(), false);
    assert_eq!(place.run(&["agent", "resume", "one"]).code, 0);
    agent.says(&["\"one\"", "\"failed\""]);
    let (more, share) = agent.lives_on(|| assert_eq!(place.run(&["agent", "reconcile", "one"]).code, 0));
    assert!(more < 15, "{more} lines in a second");
    assert!(share < 0.5, "{share} of a processor");
    assert_eq!(agent.lines("\"calls\""), 0, "nothing is called that cannot be recorded");
    has_room(agent.child.id(), true);
    agent.says(&["\"one\"", "\"calls\"", "modify"]);
    agent.says(&["\"one\"", "\"ready\""]);
    assert_eq!(agent.stop_it().0, 0);
    assert!(status_of(&place, "one").contains(LARGE), "with room it went on");
}

#[cfg(target_os = "linux")]
#[test]
fn a_log_that_cannot_be_written_ends_nothing() {
    let place = place(&[("one", SMALL)]);
    let exe = assert_cmd::cargo::cargo_bin!("rgctl");
    let line = format!(
        "trap '' XFSZ; exec {} agent run -f blueprints --log-format json --pace 3600 --listen 127.0.0.1:0 --apply 2>log",
        exe.display()
    );
    let mut agent = Running::spawn(Command::new("bash").args(["-c", &line]), place.path());
    let log = place.path().join("log");
    let began = Instant::now();
    let address = loop {
        if let Some(address) = std::fs::read_to_string(&log).ok().and_then(|log| address_in(&log)) {
            break address;
        }
        assert!(began.elapsed() < PATIENCE, "it never said where it listens");
        std::thread::sleep(Duration::from_millis(20));
    };
    gets(&address, "/metrics", &["rgctl_blueprints{condition=\"ready\"} 1"]);
    has_room(agent.child.id(), false);
    let said = std::fs::read_to_string(&log).unwrap();
    // A condition is told after the line that says it.
    gets(&address, "/metrics", &["rgctl_blueprints{condition=\"failed\"} 1"]);
    assert_eq!(std::fs::read_to_string(&log).unwrap(), said, "it could not be written");
    assert!(agent.child.try_wait().unwrap().is_none(), "it runs on");
    has_room(agent.child.id(), true);
    gets(&address, "/metrics", &["rgctl_blueprints{condition=\"ready\"} 1"]);
    assert_eq!(agent.stop_it().0, 0);
}

#[test]
fn drift_is_watched_a_line_at_each_change_until_a_signal() {
    let place = place(&[("one", SMALL)]);
    assert_eq!(Running::start(&place, &["--no-listen", "--apply", "--once"]).ends().0, 0);
    let watch = ["drift", "-f", "blueprints/one.yaml", "--watch", "--pace", "3600"];
    let mut watching =
        Running::spawn(Command::new(assert_cmd::cargo::cargo_bin!("rgctl")).args(watch), place.path());
    // What it says is data: it is read line by line as it comes.
    let mut data = BufReader::new(watching.child.stdout.take().unwrap());
    let mut line = || {
        let mut line = String::new();
        data.read_line(&mut line).unwrap();
        line
    };
    assert!(line().ends_with(" one: as wanted\n"));
    let group = "us-east-1/elasticache.group/one-ranking-use1";
    let edited = place.run(&["sim", "edit", group, "snapshot_retention_days=9"]);
    assert_eq!(edited.code, 0, "{}", edited.talk);
    let differs = line();
    assert!(
        differs.contains(" one: ")
            && differs.contains("differs")
            && differs.contains("changed outside rgctl"),
        "{differs}"
    );
    assert_eq!(place.run(&["sim", "edit", group, "snapshot_retention_days=1"]).code, 0);
    let over = line();
    assert!(over.contains("no longer: "), "{over}");
    assert!(line().ends_with(" one: as wanted\n"));
    watching.signal("TERM");
    assert_eq!(watching.child.wait().unwrap().code(), Some(0));
}
