//! The crash matrix where somebody else decides meanwhile: overlays are written, withdrawn and lapse, regions are held out and
//! released, and the run is asked to yield, while it is cut off before and after every call and line. Whoever goes on ends
//! in the world in which a run ends that nobody cut off.

use rayon::prelude::*;
use rgctl_model::journal::Outcome;
use rgctl_model::node::Desired;
use rgctl_model::overlay::{Axis, Decision, Decisions, Overlay, OverlayKey, Owner, Target};
use rgctl_model::plan::Op;
use rgctl_schema::names::{RegionId, StoreName};
use rgctl_schema::time::{Moment, Span};
use rgctl_sim::{Fault, GENESIS, Rule};

use crate::crash::{digest, shape};
use crate::swarm_decisions::Followed;
use rgctl_testkit::decides::{Wishes, hold_out, release};
use rgctl_testkit::digests::{self, Digest, Fold};
use rgctl_testkit::fixtures::{consents, region};
use rgctl_testkit::shipped::desired_of;
use rgctl_testkit::site::{Order, Site};
use rgctl_testkit::swarm_blueprint::built_of;
use rgctl_testkit::taps::Cut;

const TEXT: &str = "apiVersion: rgctl.dev/v1alpha1\nkind: Blueprint\nmetadata: { name: game }\nspec:\n  demand: { players: { \
                    peakConcurrent: 1k }, requestsPerPlayerPerMinute: 10 }\n  objectives: { availability: 99%, p99: 100ms, rto: \
                    2d, rpo: 2d }\n  regions: { primary: us-east-1 }\n  stores: [ { name: db, engine: aurora-mysql, class: \
                    db.r6g.large, readers: { min: 1, max: 3 } } ]\n";

/// What should exist by the text with what is decided.
fn built(standing: &Decisions, now: Moment) -> Desired {
    built_of(TEXT, standing, now).unwrap().desired
}

/// A run, what is decided before it, during it and after it.
struct Case {
    name: &'static str,
    wanted: Desired,
    /// Whether what is decided about the text counts at once.
    follows: bool,
    before: Vec<Decision>,
    /// How long a region does not answer that is held out before.
    lost_for: Option<(RegionId, Span)>,
    during: (u64, Vec<Decision>),
    after: Vec<Decision>,
    asked_after: Option<u64>,
    /// Whether it depends on when the run is cut off what is made for a while.
    makes_for_a_while: bool,
}

impl Case {
    fn of(name: &'static str, wanted: Desired) -> Self {
        Self {
            name,
            wanted,
            follows: true,
            before: Vec::new(),
            lost_for: None,
            during: (u64::MAX, Vec::new()),
            after: Vec::new(),
            asked_after: None,
            makes_for_a_while: false,
        }
    }

    fn order(&self) -> Order {
        let followed = || Followed::new(|standing: &_, now| Ok(built(standing, now)));
        let wishes = || std::sync::Arc::new(followed()) as std::sync::Arc<dyn Wishes>;
        Order {
            policy: consents(&["shrink:*@*", "delete:*@*"]),
            wishes: self.follows.then(wishes),
            ..Order::default()
        }
    }

    fn prepared(&self, is_forgetful: bool) -> Site {
        let mut site = Site::new(11);
        site.is_forgetful = is_forgetful;
        for what in &self.before {
            site.decide(&self.wanted.blueprint, what);
        }
        if let Some((region, lasts)) = &self.lost_for {
            let until = GENESIS + *lasts;
            let rule =
                Rule { region: Some(region.clone()), ..Rule::always(Fault::RegionLoss, GENESIS, until) };
            let _ = site.cloud.with_world(|world| world.add_fault(rule));
        }
        site
    }

    /// The run during which others decide, cut off or not; then whoever goes on, what is decided after that, and the last run.
    /// Whether it was during the first run that others decided.
    fn live(&self, site: &mut Site, cut: Cut) -> (bool, u64, u64) {
        let decides_after = Some(self.during.clone());
        let first = Order { decides_after, asked_after: self.asked_after, ..self.order() };
        let (ended, calls, appends) = site.run_cut(&self.wanted, &first, cut);
        let was_decided = site.was_decided;
        assert_eq!(ended.is_none(), cut != Cut::Never, "{} {cut:?} was not reached", self.name);
        if !was_decided {
            self.during.1.iter().for_each(|what| site.decide(&self.wanted.blueprint, what));
        }
        if ended.is_none() {
            site.run_cut(&self.wanted, &self.order(), Cut::Never).0.unwrap().unwrap();
        }
        for what in &self.after {
            site.decide(&self.wanted.blueprint, what);
        }
        let ended = site.run(&self.wanted, &self.order()).unwrap();
        assert_eq!(ended.outcome, Outcome::Settled, "{} {cut:?}: {:#?}", self.name, ended.last);
        assert_eq!(site.wrong, Vec::<String>::new(), "{} {cut:?}", self.name);
        assert_eq!(site.cloud.violations(), [], "{} {cut:?}", self.name);
        (was_decided, calls, appends)
    }

    fn survive(&self, is_forgetful: bool) -> (Vec<bool>, Digest) {
        let mut straight = self.prepared(is_forgetful);
        let (_, calls, appends) = self.live(&mut straight, Cut::Never);
        let (goal, goal_creates) = (shape(&straight.look(&self.wanted)), straight.creates());
        let acts = |site: &Site| {
            let calls = site.cloud.calls();
            calls.iter().filter(|call| call.applied && matches!(call.op, Op::Act { .. })).count()
        };
        let goal_acts = acts(&straight);
        let cuts: Vec<Cut> = (1..=calls)
            .flat_map(|n| [Cut::BeforeCall(n), Cut::AfterCall(n)])
            .chain((1..=appends).flat_map(|n| [Cut::BeforeAppend(n), Cut::AfterAppend(n)]))
            .collect();
        let live = |cut: &Cut| {
            let mut site = self.prepared(is_forgetful);
            let (was_decided, ..) = self.live(&mut site, *cut);
            assert_eq!(shape(&site.look(&self.wanted)), goal, "{} {cut:?}", self.name);
            if !self.makes_for_a_while {
                assert_eq!(site.creates(), goal_creates, "{} {cut:?}: each object is made once", self.name);
                assert_eq!(acts(&site), goal_acts, "{} {cut:?}: no act is done twice", self.name);
            }
            (was_decided, digest(&site))
        };
        let lives: Vec<(bool, String)> = cuts.par_iter().map(live).collect();
        let mut all = Fold::default();
        all.line(&digest(&straight));
        for (cut, (_, life)) in cuts.iter().zip(&lives) {
            let (place, number) = cut.place();
            all.line(&format!("{place} {number}: {life}"));
        }
        let decided = lives.iter().map(|(was_decided, _)| *was_decided).collect();
        (decided, (format!("{} ({} cuts)", self.name, cuts.len()), all.digest()))
    }
}

fn key() -> OverlayKey {
    let store = StoreName::new("db").unwrap();
    OverlayKey { store, region: region("us-east-1"), axis: Axis::Readers, owner: Owner::Person }
}

fn readers(count: u32, until: Option<Span>, then_return: bool) -> Decision {
    let overlay = Overlay {
        key: key(),
        target: Target::Count(count),
        exactly: false,
        by: "kim@desk".to_owned(),
        why: "a streamer event".to_owned(),
        set: GENESIS,
        until: until.map(|until| GENESIS + until),
        then_return,
    };
    Decision::Set { overlay }
}

fn cases() -> Vec<Case> {
    let small = |name| Case::of(name, built(&Decisions::default(), GENESIS));
    let unset = || Decision::Unset { key: key(), by: "kim@desk".to_owned(), why: "it is over".to_owned() };
    let large = |name| Case { follows: false, ..Case::of(name, desired_of("accounts")) };
    let west = || region("eu-west-1");
    let hold = || Decision::HoldOut { hold: hold_out(&west(), GENESIS) };
    vec![
        Case {
            during: (3, vec![readers(3, None, false)]),
            makes_for_a_while: false,
            ..small("more, decided during the first apply")
        },
        Case {
            before: vec![readers(3, None, false)],
            during: (4, vec![unset()]),
            makes_for_a_while: true,
            ..small("withdrawn during the first apply")
        },
        Case {
            before: vec![readers(3, Some(Span::from_mins(12)), true)],
            makes_for_a_while: true,
            ..small("lapses during the first apply, and returns")
        },
        Case {
            before: vec![readers(3, Some(Span::from_mins(12)), false)],
            ..small("lapses during the first apply, and holds")
        },
        Case { asked_after: Some(3), ..small("asked to yield") },
        Case {
            during: (5, vec![hold()]),
            after: vec![release(&west())],
            ..large("a region held out during the first apply")
        },
        Case {
            before: vec![hold()],
            lost_for: Some((west(), Span::from_mins(12))),
            during: (5, vec![release(&west())]),
            ..large("a lost region released before it is found")
        },
    ]
}

fn survive_all(is_forgetful: bool) {
    let mut found: Vec<Digest> = Vec::new();
    for case in cases() {
        let (decided, digest) = case.survive(is_forgetful);
        println!("crash matrix: decisions: {}: {} cuts survived", case.name, decided.len());
        let is_met = |during: bool| decided.contains(&during);
        assert!(decided.len() > 10, "{}: {}", case.name, decided.len());
        assert!(case.during.1.is_empty() || is_met(true) && is_met(false), "{}: {decided:?}", case.name);
        found.push(digest);
    }
    digests::compare_all("crash", "decisions", &found);
}

#[test]
fn a_run_cut_off_anywhere_while_others_decide_is_finished_by_the_next_one() {
    survive_all(false);
}

/// The digests are those of runs that remember.
#[test]
fn a_run_of_which_nothing_is_remembered_makes_the_same_calls_whatever_others_decide() {
    survive_all(true);
}
