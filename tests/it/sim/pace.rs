//! Virtual time that keeps pace with real time, for several processes: a machine's clock that a test winds.

use std::path::Path;
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::future::BoxFuture;
use rgctl_model::ports::Clock;
use rgctl_schema::time::{Moment, Span};
use rgctl_sim::{GENESIS, SimClock, SimCloud};
use rgctl_store::objects::WorldFile;

use super::block_on;

/// A machine: both of its clocks, in milliseconds. Sleeping winds them.
#[derive(Clone)]
struct Machine(Arc<Mutex<(u64, i64)>>);

impl Default for Machine {
    fn default() -> Self {
        Self(Arc::new(Mutex::new((1_000_000, 0))))
    }
}

impl Machine {
    fn passes(&self, span: Span) {
        let mut both = self.0.lock().unwrap();
        both.0 += span.as_millis();
        both.1 += i64::try_from(span.as_millis()).unwrap();
    }
    fn is_set_by(&self, ms: i64) {
        self.0.lock().unwrap().1 += ms;
    }
    fn starts_anew(&self) {
        self.0.lock().unwrap().0 = 5_000;
    }
}

impl Clock for Machine {
    fn now(&self) -> Moment {
        Moment::from_millis(1_800_000_000_000 + self.0.lock().unwrap().1)
    }
    fn since_boot(&self) -> Span {
        Span::from_millis(self.0.lock().unwrap().0)
    }
    fn sleep_until(&self, at: Moment) -> BoxFuture<'_, ()> {
        self.passes(at.since(self.now()));
        async {}.boxed()
    }
}

/// One process that has the world open.
fn open(folder: &Path, machine: &Machine) -> (SimCloud, SimClock) {
    let cloud = SimCloud::open(&WorldFile::under(folder)).unwrap().with_wall(Arc::new(machine.clone()));
    let clock = cloud.clock();
    (cloud, clock)
}

fn since_genesis(clock: &SimClock) -> Span {
    clock.now().since(GENESIS)
}

#[test]
fn a_world_without_a_pace_is_as_fast_as_nobody_sleeps() {
    let (folder, machine) = (crate::cli::folder(), Machine::default());
    let (_, clock) = open(folder.path(), &machine);
    machine.passes(Span::from_hours(1));
    assert_eq!(since_genesis(&clock), Span::ZERO);
    assert!(clock.is_virtual());
    block_on(clock.sleep_until(GENESIS + Span::from_days(1)));
    assert_eq!((since_genesis(&clock), machine.now().as_millis()), (Span::from_days(1), 1_800_003_600_000));
}

#[test]
fn processes_that_share_a_world_share_its_clock_and_the_first_sets_its_pace() {
    let (folder, machine) = (crate::cli::folder(), Machine::default());
    let (agent, one) = open(folder.path(), &machine);
    let (other, two) = open(folder.path(), &machine);
    assert_eq!(agent.keep_pace(60).unwrap(), 60);
    assert_eq!(other.keep_pace(3_600).unwrap(), 60, "there is one clock");
    for seconds in 1..=100 {
        machine.passes(Span::from_secs(1));
        let (left, right) = (since_genesis(&one), since_genesis(&two));
        assert_eq!(left, right);
        assert_eq!(left, Span::from_mins(seconds));
        // Each use of the world is a sign; one of the two is enough.
        other.with_world(|_| ()).unwrap();
    }
    let (_, late) = open(folder.path(), &machine);
    assert_eq!(since_genesis(&late), Span::from_mins(100), "who comes later sees the same");
    assert!(!late.is_virtual(), "and sleeps in real time");
    let before = machine.now();
    block_on(late.sleep_until(late.now() + Span::from_mins(10)));
    assert_eq!(machine.now().since(before), Span::from_secs(10));
    assert_eq!(since_genesis(&late), Span::from_mins(110));
}

#[test]
fn what_is_due_happens_when_its_time_has_come_by_the_pace() {
    let (folder, machine) = (crate::cli::folder(), Machine::default());
    let (agent, _) = open(folder.path(), &machine);
    agent.keep_pace(60).unwrap();
    machine.passes(Span::from_secs(20));
    let now = agent.with_world(|world| world.now()).unwrap();
    assert_eq!(now.since(GENESIS), Span::from_mins(20), "the world itself has gone on, not its clock alone");
}

#[test]
fn time_stands_when_its_keeper_has_died_and_goes_on_from_there_with_the_next() {
    let (folder, machine) = (crate::cli::folder(), Machine::default());
    let (agent, _) = open(folder.path(), &machine);
    agent.keep_pace(60).unwrap();
    drop(agent);
    machine.passes(Span::from_hours(10));
    let (next, clock) = open(folder.path(), &machine);
    assert_eq!(since_genesis(&clock), Span::from_mins(30), "half a minute after the last sign");
    assert!(clock.is_virtual());
    next.keep_pace(60).unwrap();
    machine.passes(Span::from_secs(10));
    assert_eq!(since_genesis(&clock), Span::from_mins(40));
    // A process that was stopped for long, such as by SIGSTOP, finds the world where it stood.
    machine.passes(Span::from_hours(10));
    assert_eq!(since_genesis(&clock), Span::from_mins(60));
    next.with_world(|_| ()).unwrap();
    machine.passes(Span::from_secs(1));
    assert_eq!(since_genesis(&clock), Span::from_mins(61));
}

#[test]
fn a_keeper_that_leaves_leaves_a_world_whose_time_stands() {
    let (folder, machine) = (crate::cli::folder(), Machine::default());
    let (agent, clock) = open(folder.path(), &machine);
    agent.keep_pace(60).unwrap();
    machine.passes(Span::from_secs(5));
    agent.leave_pace().unwrap();
    machine.passes(Span::from_secs(5));
    assert_eq!(since_genesis(&clock), Span::from_mins(5));
    assert!(clock.is_virtual());
}

#[test]
fn time_that_is_let_pass_by_hand_moves_the_pace_along() {
    let (folder, machine) = (crate::cli::folder(), Machine::default());
    let (agent, one) = open(folder.path(), &machine);
    let (hand, two) = open(folder.path(), &machine);
    agent.keep_pace(60).unwrap();
    machine.passes(Span::from_secs(5));
    hand.advance(Span::from_hours(2)).unwrap();
    machine.passes(Span::from_secs(5));
    assert_eq!(since_genesis(&one), Span::from_mins(130));
    assert_eq!(since_genesis(&two), Span::from_mins(130));
}

#[test]
fn a_time_of_day_that_is_set_and_a_machine_that_starts_anew_move_no_world() {
    let (folder, machine) = (crate::cli::folder(), Machine::default());
    let (agent, clock) = open(folder.path(), &machine);
    agent.keep_pace(60).unwrap();
    machine.passes(Span::from_secs(5));
    for hours in [30, -60] {
        machine.is_set_by(hours * 3_600_000);
        assert_eq!(since_genesis(&clock), Span::from_mins(5));
    }
    agent.with_world(|_| ()).unwrap();
    drop((agent, clock));
    machine.starts_anew();
    let (agent, clock) = open(folder.path(), &machine);
    // Its clock began before the pace did.
    assert_eq!(since_genesis(&clock), Span::from_mins(5));
    agent.keep_pace(60).unwrap();
    machine.passes(Span::from_secs(1));
    assert_eq!(since_genesis(&clock), Span::from_mins(6));
}
