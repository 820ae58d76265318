//! What is decided in a life of the swarm: overlays are written, withdrawn and lapse, by persons, scalers, runbooks and
//! freezes; regions are lost, held out, found and released; before runs and while they are under way.
//!
//! What holds whatever is decided: in a region that is held out nothing is looked at or done, and no decision moves a lease
//! or a record (`testkit::taps` and `testkit::decides` judge both at each call); no lapse lowers anything unless that was
//! said when the decision was made; and when all is withdrawn and released, what should exist is what the text alone says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use rand::{Rng, RngExt};
use rgctl_model::node::{Desired, Node};
use rgctl_model::overlay::{Decision, Decisions, Overlay, OverlayKey};
use rgctl_model::ports::Clock;
use rgctl_schema::names::{BlueprintName, RegionId};
use rgctl_schema::time::{Moment, Span};
use rgctl_sim::{Fault, Rule};

use crate::swarm_tally::Tally;
use rgctl_testkit::decides::{Wishes, hold_out, next_lapse, release};
use rgctl_testkit::site::Site;
use rgctl_testkit::swarm_blueprint::Game;
use rgctl_testkit::swarm_overlays;

/// What must be met for the swarm to have shown anything about decisions.
pub const MET: [&str; 13] = [
    "overlays written",
    "overlays that change something",
    "overlays withdrawn",
    "overlays that lapse and hold",
    "overlays that lapse and return",
    "decisions during a run",
    "regions lost",
    "regions found",
    "regions held out",
    "regions held out and lost",
    "regions held out during a run",
    "regions released",
    "decisions undone at the end",
];

/// What should exist by a text with these decisions at that time, if they hold together.
type Build = dyn Fn(&Decisions, Moment) -> Result<Desired, String> + Send + Sync;

/// A text with what is decided about it, asked before each turn.
pub struct Followed {
    build: Box<Build>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What was decided, and what of it had lapsed, when it was said last what should exist.
    said: Option<(u64, BTreeSet<OverlayKey>)>,
    desired: Option<Desired>,
    tally: Tally,
    wrong: Vec<String>,
}

impl Followed {
    pub fn new(
        build: impl Fn(&Decisions, Moment) -> Result<Desired, String> + Send + Sync + 'static,
    ) -> Self {
        Self { build: Box::new(build), state: Mutex::default() }
    }

    pub fn of_game(game: Game) -> Self {
        Self::new(move |standing, now| Ok(game.built(standing, now)?.desired))
    }

    /// What should exist now, where anything was ever decided.
    pub fn desired(&self, standing: &Decisions, now: Moment) -> Option<Desired> {
        let news = self.news(standing, now);
        news.or_else(|| self.state.lock().unwrap().desired.clone())
    }

    /// What was met, and what was wrong.
    pub fn take(&self) -> Result<Tally, String> {
        let mut state = self.state.lock().unwrap();
        match state.wrong.pop() {
            Some(why) => Err(why),
            None => Ok(std::mem::take(&mut state.tally)),
        }
    }
}

impl Wishes for Followed {
    fn news(&self, standing: &Decisions, now: Moment) -> Option<Desired> {
        // Where nothing was ever decided, the text says all.
        if standing.last_seq == 0 {
            return None;
        }
        let mut state = self.state.lock().unwrap();
        let lapsed =
            |(key, (_, overlay)): (&OverlayKey, &(u64, Overlay))| overlay.is_lapsed(now).then(|| key.clone());
        let lapsed: BTreeSet<OverlayKey> = standing.overlays.iter().filter_map(lapsed).collect();
        if state.said.as_ref().is_some_and(|said| *said == (standing.last_seq, lapsed.clone())) {
            return None;
        }
        let Ok(desired) = (self.build)(standing, now) else {
            // The text changed, and does not hold together with what was decided before: a command would say so.
            state.tally.add("texts that contradict a decision", 1);
            return None;
        };
        if let Some((seq, before)) = state.said.take()
            && seq == standing.last_seq
        {
            state.lapse(lapsed.difference(&before), standing, &desired);
        }
        state.said = Some((standing.last_seq, lapsed));
        state.desired = Some(desired.clone());
        Some(desired)
    }
}

impl State {
    /// Time has passed, and nothing was decided.
    fn lapse<'a>(
        &mut self,
        news: impl Iterator<Item = &'a OverlayKey>,
        standing: &Decisions,
        after: &Desired,
    ) {
        let mut returns = false;
        for key in news {
            let then_return = standing.overlays.get(key).is_some_and(|(_, overlay)| overlay.then_return);
            returns |= then_return;
            let what =
                if then_return { "overlays that lapse and return" } else { "overlays that lapse and hold" };
            self.tally.add(what, 1);
        }
        let less = self.desired.as_ref().and_then(|before| less(before, after));
        if let Some(less) = less.filter(|_| !returns) {
            self.wrong.push(format!("a lapse lowers {less}: {:?}", standing.overlays));
        }
    }
}

/// What is less in one than in the other.
fn less(before: &Desired, after: &Desired) -> Option<String> {
    before.nodes.values().find_map(|node| {
        let Some(now) = after.nodes.get(&node.address) else { return Some(node.address.to_string()) };
        let numbers = numbers(now);
        let fallen = |(name, number): &(&str, f64)| numbers.get(name).is_some_and(|now| now < number);
        let fallen = numbers_of(node).find(fallen)?;
        Some(format!("{fallen:?} of {} to {:?}", node.address, numbers.get(fallen.0)))
    })
}

fn numbers_of(node: &Node) -> impl Iterator<Item = (&'static str, f64)> {
    node.attrs.set_fields().into_iter().filter_map(|(name, value)| Some((name, value.as_f64()?)))
}

fn numbers(node: &Node) -> BTreeMap<&'static str, f64> {
    numbers_of(node).collect()
}

/// Who decides in a life.
pub struct Deciders {
    /// Regions that do not answer, with the rule of each.
    lost: BTreeMap<RegionId, u64>,
    name: BlueprintName,
}

impl Deciders {
    pub fn new() -> Self {
        Self { lost: BTreeMap::new(), name: BlueprintName::new("game").unwrap() }
    }

    /// Waits until the time of a decision is over, for the most part, if there is one.
    pub fn wait_for_a_lapse(&self, rng: &mut impl Rng, site: &Site) -> Result<bool, String> {
        let now = site.cloud.clock().now();
        let Some(lapse) = next_lapse(&self.standing(site), now) else { return Ok(false) };
        if rng.random_bool(0.3) {
            return Ok(false);
        }
        site.cloud.advance(lapse.since(now)).map_err(|error| error.to_string())?;
        Ok(true)
    }

    /// What is decided by now.
    pub fn standing(&self, site: &Site) -> Decisions {
        site.standing(&self.name)
    }

    /// Somebody decides, before a run.
    pub fn decide(
        &mut self,
        rng: &mut impl Rng,
        site: &Site,
        game: &Game,
        everywhere: &BTreeSet<RegionId>,
        tally: &mut Tally,
    ) {
        self.note_found(site, tally);
        for _ in 0..rng.random_range(0..=2) {
            let Some(what) = self.draw(rng, site, game, everywhere, tally) else { continue };
            self.change_world(rng, site, &what, tally);
            site.decide(&self.name, &what);
            count(&what, tally);
        }
    }

    /// What somebody will decide while the next run is under way, and after which call.
    pub fn later(
        &mut self,
        rng: &mut impl Rng,
        site: &Site,
        game: &Game,
        everywhere: &BTreeSet<RegionId>,
        tally: &mut Tally,
    ) -> Option<(u64, Vec<Decision>)> {
        if !rng.random_bool(0.4) {
            return None;
        }
        let after = rng.random_range(1..=8);
        let what = self.draw(rng, site, game, everywhere, tally)?;
        Some((after, vec![what]))
    }

    fn draw(
        &self,
        rng: &mut impl Rng,
        site: &Site,
        game: &Game,
        everywhere: &BTreeSet<RegionId>,
        tally: &mut Tally,
    ) -> Option<Decision> {
        let (standing, now) = (site.standing(&self.name), site.cloud.clock().now());
        match rng.random_range(0..10) {
            0..=4 => {
                let (decision, has_effect) = swarm_overlays::draw(rng, game, &standing, now)?;
                if has_effect {
                    tally.add("overlays that change something", 1);
                }
                Some(decision)
            }
            5 | 6 => {
                let keys: Vec<&OverlayKey> = standing.overlays.keys().collect();
                let key = one_of(rng, &keys)?;
                Some(unset(key))
            }
            7 | 8 => {
                let free: Vec<&RegionId> =
                    everywhere.iter().filter(|region| !standing.holds.contains_key(*region)).collect();
                Some(Decision::HoldOut { hold: hold_out(one_of(rng, &free)?, now) })
            }
            _ => {
                let held: Vec<&RegionId> = standing.holds.keys().collect();
                Some(release(one_of(rng, &held)?))
            }
        }
    }

    /// Regions are held out since they are lost, for the most part, and released when they are found.
    fn change_world(&mut self, rng: &mut impl Rng, site: &Site, what: &Decision, tally: &mut Tally) {
        match what {
            Decision::HoldOut { hold } if rng.random_bool(0.75) => {
                self.lose(rng, site, &hold.region, tally);
                tally.add("regions held out and lost", 1);
            }
            Decision::Release { region, .. } if rng.random_bool(0.8) => self.find(site, region, tally),
            _ => {}
        }
    }

    /// A region is lost, and nobody says anything.
    pub fn lose_one(
        &mut self,
        rng: &mut impl Rng,
        site: &Site,
        everywhere: &BTreeSet<RegionId>,
        tally: &mut Tally,
    ) {
        if rng.random_bool(0.1) {
            let all: Vec<&RegionId> = everywhere.iter().collect();
            if let Some(region) = one_of(rng, &all) {
                self.lose(rng, site, region, tally);
            }
        }
    }

    fn lose(&mut self, rng: &mut impl Rng, site: &Site, region: &RegionId, tally: &mut Tally) {
        if self.lost.contains_key(region) {
            return;
        }
        let (now, lasts) = (site.cloud.clock().now(), Span::from_hours(rng.random_range(1..40)));
        let rule = Rule { region: Some(region.clone()), ..Rule::always(Fault::RegionLoss, now, now + lasts) };
        let id = site.cloud.with_world(|world| world.add_fault(rule)).unwrap();
        self.lost.insert(region.clone(), id);
        tally.add("regions lost", 1);
    }

    fn find(&mut self, site: &Site, region: &RegionId, tally: &mut Tally) {
        if let Some(id) = self.lost.remove(region) {
            let _ = site.cloud.with_world(|world| world.clear_faults(Some(id)));
            tally.add("regions found", 1);
        }
    }

    /// What time has given back.
    fn note_found(&mut self, site: &Site, tally: &mut Tally) {
        let lost = |region: &RegionId| {
            site.cloud.with_world(|world| world.is_region_lost(region)).unwrap_or_default()
        };
        let found: Vec<RegionId> = self.lost.keys().filter(|region| !lost(region)).cloned().collect();
        for region in found {
            self.find(site, &region, tally);
        }
    }

    /// Whether all regions answer: only then a person sees what there is.
    pub fn sees_all(&self, site: &Site) -> bool {
        let lost = |region: &RegionId| {
            site.cloud.with_world(|world| world.is_region_lost(region)).unwrap_or_default()
        };
        !self.lost.keys().any(lost)
    }

    /// Everything is released and withdrawn; what should exist then is what the text alone says.
    pub fn undo(&mut self, site: &Site, game: &Game, tally: &mut Tally) -> Result<Desired, String> {
        let standing = self.standing(site);
        let lost: Vec<RegionId> = self.lost.keys().cloned().collect();
        for region in &lost {
            self.find(site, region, tally);
        }
        let releases = standing.holds.keys().map(release);
        for what in releases.chain(standing.overlays.keys().map(unset)) {
            site.decide(&self.name, &what);
            count(&what, tally);
            tally.add("decisions undone at the end", 1);
        }
        let (now, standing) = (site.cloud.clock().now(), self.standing(site));
        let alone = game.desired(now)?;
        if standing.last_seq == 0 {
            return Ok(alone);
        }
        let wanted = game.built(&standing, now)?.desired;
        if wanted.nodes == alone.nodes {
            Ok(wanted)
        } else {
            Err(format!("withdrawn decisions still change what should exist: {standing:?}"))
        }
    }
}

fn one_of<'a, T: ?Sized>(rng: &mut impl Rng, of: &[&'a T]) -> Option<&'a T> {
    (!of.is_empty()).then(|| of[rng.random_range(0..of.len())])
}

fn count(what: &Decision, tally: &mut Tally) {
    let name = match what {
        Decision::Set { .. } => "overlays written",
        Decision::Unset { .. } => "overlays withdrawn",
        Decision::HoldOut { .. } => "regions held out",
        Decision::Release { .. } => "regions released",
    };
    tally.add(name, 1);
}

/// Notes what was decided during a run.
pub fn note_later(what: &[Decision], tally: &mut Tally) {
    tally.add("decisions during a run", 1);
    for one in what {
        count(one, tally);
        if matches!(one, Decision::HoldOut { .. }) {
            tally.add("regions held out during a run", 1);
        }
    }
}

fn unset(key: &OverlayKey) -> Decision {
    Decision::Unset { key: key.clone(), by: "kim@desk".to_owned(), why: "it is over".to_owned() }
}
