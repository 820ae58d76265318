//! Random decisions about the sizes of a game's stores.

use rand::{Rng, RngExt};
use rgctl_blueprint::desired::Built;
use rgctl_blueprint::families::size::{AxisFacts, Steps};
use rgctl_model::overlay::{Axis, Decision, Decisions, Overlay, OverlayKey, Owner, Target};
use rgctl_schema::time::{Moment, Span};

use crate::swarm_blueprint::Game;

/// A decision about the size of a store, within the bounds of the text. One that cannot be built is not made.
/// Whether it changes what should exist is told beside it.
pub fn draw(rng: &mut impl Rng, game: &Game, standing: &Decisions, now: Moment) -> Option<(Decision, bool)> {
    let before = game.built(standing, now).ok()?;
    let (key, target) = aim(rng, game, &before)?;
    let until = rng.random_bool(0.6).then(|| now + Span::from_mins(rng.random_range(5..10 * 60)));
    let overlay = Overlay {
        exactly: key.owner == Owner::Person && rng.random_bool(0.2),
        then_return: until.is_some() && rng.random_bool(0.35),
        key,
        target,
        by: "kim@desk".to_owned(),
        why: "a streamer event".to_owned(),
        set: now,
        until,
    };
    let decision = Decision::Set { overlay };
    let mut then = standing.clone();
    then.apply(standing.last_seq + 1, &decision);
    let after = game.built(&then, now).ok()?;
    Some((decision, after.desired.fingerprint != before.desired.fingerprint))
}

fn aim(rng: &mut impl Rng, game: &Game, built: &Built) -> Option<(OverlayKey, Target)> {
    // Rather where there is something to decide.
    let can_move = |axes: &[AxisFacts]| axes.iter().any(|facts| facts.count.min < facts.count.max);
    let free = || built.axes.iter().filter(|(_, axes)| can_move(axes));
    let all = || built.axes.iter().filter(|(_, axes)| !axes.is_empty());
    let places: Vec<_> = if free().next().is_some() { free().collect() } else { all().collect() };
    if places.is_empty() {
        return None;
    }
    let ((store, region), axes) = places[rng.random_range(0..places.len())];
    let owner = match rng.random_range(0..20) {
        0..=10 => Owner::Person,
        11..=15 => Owner::Scaler,
        16..=18 => Owner::Recovery,
        _ => Owner::Freeze,
    };
    let key = |axis| OverlayKey { store: store.clone(), region: region.clone(), axis, owner };
    let classes = game.classes(store);
    if !classes.is_empty() && rng.random_bool(0.15) {
        let class = classes[rng.random_range(0..classes.len())];
        return Some((key(Axis::Class), Target::Class(class.to_owned())));
    }
    let facts = &axes[rng.random_range(0..axes.len())];
    let number = rng.random_range(facts.count.min..=facts.count.max);
    let number = match facts.steps {
        Steps::Of(step) => (number / step.max(1) * step.max(1)).max(facts.count.min),
        Steps::Any | Steps::Factor(_) => number,
    };
    Some((key(facts.axis), Target::Count(number)))
}
