//! What decisions make of the numbers and classes that the blueprint gives.
//!
//! Goes in: what the blueprint gives in one dimension of a store in a region, what it allows there, the decisions about it,
//! the present moment. Comes out: a [`Resolved`]: what holds, and how each decision stands.
//!
//! **Invariant:** pure; what holds is within the bounds of the blueprint.
//! **Invariant:** a decision whose time is over lowers nothing by that, unless it said so when it was made.
//! **Invariant:** what a decision held, and holds no longer, is told: taking it away asks for consent, unless it is the scaler
//! that decides, by a newer decision.

use rgctl_catalog::{Catalog, Offered};
use rgctl_model::overlay::{Axis, Decisions, Left, Overlay, OverlayKey, Owner, Target};
use rgctl_schema::names::{RegionId, StoreName};
use rgctl_schema::time::Moment;

use crate::families::Store;
use crate::families::size::{self, Count, Size, Steps};
use crate::spec::Cell;

/// No dimension of any service has more; numbers beyond come from a damaged decision.
const UNITS_MAX: u32 = 512;

/// How a decision stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its time is not over.
    InForce,
    /// Its time is over; it holds at the larger of its own number and that of the next owner.
    Holding,
    /// Its time is over, and it said that it would hold nothing then.
    Returned,
    /// Its time is over, and a newer decision of another owner took its place.
    Superseded,
    /// It can have no effect, for this reason.
    LeftOut(String),
}

/// A decision with what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// How often its key has been written.
    pub epoch: u64,
    /// What was decided.
    pub overlay: Overlay,
    /// What was decided, within what the blueprint allows.
    pub target: Target,
    /// How it stands.
    pub standing: Standing,
    /// What would hold without it and without the owners above it.
    pub before: Target,
    /// What holds with it, without the owners above it.
    pub after: Target,
}

/// One dimension of a store in a region about which something was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The store.
    pub store: StoreName,
    /// The region.
    pub region: RegionId,
    /// The dimension.
    pub axis: Axis,
    /// What the blueprint gives.
    pub own: Target,
    /// What holds.
    pub now: Target,
    /// The least and the most that the blueprint allows; nothing for a class.
    pub bounds: Option<(u32, u32)>,
    /// How many steps of the axis make one unit as people name it.
    pub steps_per_unit: u32,
    /// The decisions, the owner that goes before all others last.
    pub effects: Vec<Effect>,
    /// What was held and is held no longer, where that is more than what holds and nobody's rules allow it to go.
    pub lowered_from: Option<Target>,
}

/// A store in one of its regions, as decisions are judged there.
pub(super) struct Place<'a> {
    pub store: &'a Store,
    pub cell: &'a Cell,
    pub region: &'a RegionId,
    pub catalog: &'a Catalog,
    pub now: Moment,
}

/// What decisions make of a size, with what they did. Nothing was decided about most stores.
pub(super) fn apply(place: &Place<'_>, decisions: &Decisions, size: &Size) -> (Size, Vec<Resolved>) {
    let mut sized = size.clone();
    let mut all = Vec::new();
    if decisions.overlays.is_empty() && decisions.left.is_empty() {
        return (sized, all);
    }
    for axis in Axis::ALL {
        let Some(resolved) = place.resolve(decisions, size, axis) else { continue };
        match (&resolved.now, sized.counts.get_mut(&axis)) {
            (Target::Count(number), Some(count)) => count.now = *number,
            (Target::Class(class), None) => sized.class = Some(class.clone()),
            _ => {}
        }
        all.push(resolved);
    }
    (sized, all)
}

/// The size from which decisions let a store go down, if they do.
pub(super) fn higher(size: &Size, resolved: &[Resolved]) -> Option<Size> {
    let lowered: Vec<_> =
        resolved.iter().filter_map(|one| Some((one.axis, one.lowered_from.as_ref()?))).collect();
    if lowered.is_empty() {
        return None;
    }
    let mut higher = size.clone();
    for (axis, from) in lowered {
        match (from, higher.counts.get_mut(&axis)) {
            (Target::Count(number), Some(count)) => count.now = (*number).min(count.max.max(UNITS_MAX)),
            (Target::Class(class), None) => higher.class = Some(class.clone()),
            _ => {}
        }
    }
    Some(higher)
}

/// Decisions about what the blueprint does not have.
pub(super) fn about_nothing(decisions: &Decisions, stores: &[Store], cells: &[Cell]) -> Vec<String> {
    let note = |(key, (_, overlay)): (&OverlayKey, &(u64, Overlay))| {
        let OverlayKey { store, region, axis, .. } = key;
        let who = who(overlay);
        let Some(section) = stores.iter().find(|one| one.name() == store) else {
            return Some(format!(
                "{axis} of `{store}` in {region}: the decision of {who} is left out: the blueprint has no store of \
                 that name"
            ));
        };
        let is_there = cells.iter().any(|cell| cell.regions_of(section).any(|one| one == region));
        (!is_there).then(|| {
            format!(
                "{axis} of `{store}` in {region}: the decision of {who} is left out: the blueprint has the store, but \
                 not in that region"
            )
        })
    };
    decisions.overlays.iter().filter_map(note).collect()
}

impl Place<'_> {
    /// The region whose decisions count here: what is the same in all regions of a store is decided at the primary.
    fn decided_in(&self, axis: Axis) -> &RegionId {
        if size::is_common(self.store, axis) { &self.cell.primary } else { self.region }
    }

    fn resolve(&self, decisions: &Decisions, size: &Size, axis: Axis) -> Option<Resolved> {
        let key = |region: &RegionId, owner| OverlayKey {
            store: self.store.name().clone(),
            region: region.clone(),
            axis,
            owner,
        };
        let decided_in = self.decided_in(axis);
        let found = |region: &RegionId| -> Vec<&(u64, Overlay)> {
            Owner::ALL.iter().filter_map(|owner| decisions.overlays.get(&key(region, *owner))).collect()
        };
        let overlays = found(decided_in);
        let misplaced = if decided_in == self.region { Vec::new() } else { found(self.region) };
        let is_left = |left: &&Left| {
            let OverlayKey { store, region, axis: of, .. } = &left.key;
            // What is the same in all regions was held in all of them, wherever it was decided then.
            let is_here = region == decided_in || decided_in != self.region && region == self.region;
            is_here && (store, *of) == (self.store.name(), axis)
        };
        let left: Vec<&Left> = decisions.left.iter().filter(is_left).collect();
        if overlays.is_empty() && left.is_empty() && misplaced.is_empty() {
            return None;
        }
        let limits = self.limits(size, axis);
        let own = limits.own();
        let mut dimension = Dimension { limits: &limits, now: self.now, effects: Vec::new() };
        for (epoch, overlay) in misplaced {
            let why =
                format!("it is the same in all regions of the store, so that it is decided in {decided_in}");
            dimension.leave_out(*epoch, overlay, &own, why);
        }
        let now = dimension.stack(&own, &overlays);
        let lowered_from = dimension.lowered_from(&own, &now, &left);
        Some(Resolved {
            store: self.store.name().clone(),
            region: self.region.clone(),
            axis,
            bounds: limits.count.map(|count| (count.min, count.max)),
            steps_per_unit: size::steps_per_unit(self.store, axis),
            effects: dimension.effects,
            own,
            now,
            lowered_from,
        })
    }

    fn limits<'s>(&'s self, size: &'s Size, axis: Axis) -> Limits<'s> {
        let steps = size::axes(self.store, size).into_iter().find(|facts| facts.axis == axis);
        Limits {
            place: self,
            axis,
            count: size.counts.get(&axis).copied(),
            class: size.class.as_deref(),
            steps: steps.map_or(Steps::Any, |facts| facts.steps),
        }
    }
}

/// Whether a class may be decided for a store: known, and sold in all its regions.
pub fn class_refusal(store: &Store, cell: &Cell, catalog: &Catalog, class: &str) -> Option<String> {
    let (service, engine) = (store.catalog_service(), store.catalog_engine());
    if !catalog.class_names(service, engine).any(|name| name == class) {
        return Some(format!("there is no class `{class}` for {}", store.engine()));
    }
    let lacks = |region: &&RegionId| catalog.offered(service, engine, class, region) != Offered::Yes;
    let lacking: Vec<String> = cell.regions_of(store).filter(lacks).map(ToString::to_string).collect();
    (!lacking.is_empty()).then(|| {
        format!("`{class}` is not known to be sold for {} in {}", store.engine(), lacking.join(", "))
    })
}

/// What the blueprint gives and allows in one dimension.
struct Limits<'a> {
    place: &'a Place<'a>,
    axis: Axis,
    count: Option<Count>,
    class: Option<&'a str>,
    steps: Steps,
}

impl Limits<'_> {
    /// What holds without any decision. A store that lacks the dimension has nothing there, which is told with each
    /// decision about it.
    fn own(&self) -> Target {
        match self.axis {
            Axis::Class => Target::Class(self.class.unwrap_or("none").to_owned()),
            _ => Target::Count(self.count.map_or(0, |count| count.now)),
        }
    }

    /// A target within what is allowed, or why it can have no effect.
    fn admit(&self, target: &Target) -> Result<Target, String> {
        let store = self.place.store;
        match (target, self.count) {
            (Target::Class(_), _) if self.axis == Axis::Class && self.class.is_none() => {
                Err("the store is serverless and has no class".to_owned())
            }
            (Target::Class(class), _) if self.axis == Axis::Class => {
                match class_refusal(store, self.place.cell, self.place.catalog, class) {
                    Some(why) => Err(why),
                    None => Ok(target.clone()),
                }
            }
            (Target::Count(number), Some(count)) => {
                let number = match self.steps {
                    Steps::Of(step) => number.div_ceil(step.max(1)).saturating_mul(step.max(1)),
                    Steps::Any | Steps::Factor(_) => *number,
                };
                Ok(Target::Count(number.clamp(count.min, count.max)))
            }
            (Target::Count(_), None) if self.axis != Axis::Class => {
                Err(format!("{} in {} has no {}", store.engine(), self.place.region, self.axis))
            }
            _ => Err(format!("{target} is nothing that {} can be", self.axis)),
        }
    }

    /// Whether one is surely not less than the other. Classes that nobody can compare are not.
    fn is_at_least(&self, one: &Target, other: &Target) -> bool {
        match (one, other) {
            (Target::Count(one), Target::Count(other)) => one >= other,
            (Target::Class(one), Target::Class(other)) => {
                let class = |name: &str| self.place.catalog.class(self.place.store.catalog_service(), name);
                let facts = |name| class(name).and_then(|class| Some((class.vcpu?, class.memory_gib?)));
                match (facts(one), facts(other)) {
                    _ if one == other => true,
                    (Some(one), Some(other)) => one.0 >= other.0 && one.1 >= other.1,
                    _ => false,
                }
            }
            _ => false,
        }
    }

    /// The larger of two; the second where they are equal, or nobody can compare them.
    fn larger<'t>(&self, one: &'t Target, other: &'t Target) -> &'t Target {
        if self.is_at_least(one, other) && !self.is_at_least(other, one) { one } else { other }
    }
}

/// The decisions about one dimension, as they are laid one upon the other.
struct Dimension<'a> {
    limits: &'a Limits<'a>,
    now: Moment,
    effects: Vec<Effect>,
}

impl Dimension<'_> {
    fn leave_out(&mut self, epoch: u64, overlay: &Overlay, value: &Target, why: String) {
        self.effects.push(Effect {
            epoch,
            overlay: overlay.clone(),
            target: overlay.target.clone(),
            standing: Standing::LeftOut(why),
            before: value.clone(),
            after: value.clone(),
        });
    }

    /// Lays decisions upon what the blueprint gives, the lowest owner first, each upon what those below it give. Each step
    /// gives more where more is below it, and the end of a decision's time never makes its own step give less: that is why no
    /// lapse lowers anything.
    fn stack(&mut self, own: &Target, overlays: &[&(u64, Overlay)]) -> Target {
        let mut value = own.clone();
        let mut newest: Option<Moment> = None;
        for (epoch, overlay) in overlays {
            let target = match self.limits.admit(&overlay.target) {
                Ok(target) => target,
                Err(why) => {
                    self.leave_out(*epoch, overlay, &value, why);
                    continue;
                }
            };
            let standing = self.standing(overlay, newest);
            let is_floor = overlay.key.owner == Owner::Person && !overlay.exactly;
            let after = match standing {
                Standing::InForce if !is_floor => &target,
                Standing::InForce | Standing::Holding => self.limits.larger(&value, &target),
                Standing::Returned | Standing::Superseded | Standing::LeftOut(_) => &value,
            };
            let after = after.clone();
            newest = newest.max(Some(overlay.set));
            self.effects.push(Effect {
                epoch: *epoch,
                overlay: overlay.clone(),
                target,
                standing,
                before: std::mem::replace(&mut value, after.clone()),
                after,
            });
        }
        value
    }

    /// `newest` is when the last decision of the owners below was made: after the end of this one's time they have it again.
    fn standing(&self, overlay: &Overlay, newest: Option<Moment>) -> Standing {
        match overlay.until.filter(|until| *until <= self.now) {
            None => Standing::InForce,
            Some(_) if overlay.then_return => Standing::Returned,
            Some(until) if newest.is_some_and(|newest| newest >= until) => Standing::Superseded,
            Some(_) => Standing::Holding,
        }
    }

    /// What was held and is more than what holds. The scaler alone goes below what others held, by decisions that are newer
    /// than the end of theirs.
    fn lowered_from(&self, own: &Target, now: &Target, left: &[&Left]) -> Option<Target> {
        let scaler = self.deciding_scaler();
        let candidates = self.effects.iter().map(|effect| {
            let is_own = effect.overlay.key.owner == Owner::Scaler && scaler.is_some();
            let ended = if effect.standing == Standing::InForce { None } else { effect.overlay.until };
            let is_by_rules = scaler.zip(ended).is_some_and(|((_, set), ended)| set >= ended);
            (&effect.overlay.target, is_own || is_by_rules)
        });
        let left = left.iter().map(|left| (&left.target, scaler.is_some_and(|(epoch, _)| epoch >= left.seq)));
        let all = candidates.chain(left).chain([(own, scaler.is_some())]);
        let more = |target: &Target| self.is_of_axis(target) && !self.limits.is_at_least(now, target);
        let more: Vec<(&Target, bool)> = all.filter(|(target, _)| more(target)).collect();
        // One word is asked for all of it, where one is needed at all.
        let asks = more.iter().any(|(_, is_by_rules)| !is_by_rules);
        let held = more.into_iter().filter(|_| asks).map(|(target, _)| target);
        held.reduce(|most, one| self.limits.larger(one, most)).cloned()
    }

    /// Epoch and time of the scaler's decision, where it is that what holds.
    fn deciding_scaler(&self) -> Option<(u64, Moment)> {
        let is_scaler = |effect: &Effect| effect.overlay.key.owner == Owner::Scaler;
        let place = self.effects.iter().position(is_scaler)?;
        let (scaler, above) = (&self.effects[place], &self.effects[place + 1..]);
        let decides =
            scaler.standing == Standing::InForce && above.iter().all(|effect| effect.before == effect.after);
        decides.then_some((scaler.epoch, scaler.overlay.set))
    }

    const fn is_of_axis(&self, target: &Target) -> bool {
        match target {
            Target::Class(_) => matches!(self.limits.axis, Axis::Class) && self.limits.class.is_some(),
            Target::Count(_) => self.limits.count.is_some(),
        }
    }
}

/// Who decided, in words.
pub fn who(overlay: &Overlay) -> String {
    match overlay.key.owner {
        Owner::Person => overlay.by.clone(),
        owner => format!("the {owner} ({})", overlay.by),
    }
}

impl Resolved {
    /// A number as people name it, or a class.
    pub fn shown(&self, target: &Target) -> String {
        size::shown(self.steps_per_unit, self.axis, target)
    }

    /// What was decided, as a wish.
    pub fn wish(&self, overlay: &Overlay) -> String {
        let shown = self.shown(&overlay.target);
        match (overlay.key.owner, overlay.exactly) {
            (_, true) => format!("exactly {shown}"),
            (Owner::Person, false) => format!("at least {shown}"),
            _ => shown,
        }
    }

    /// A sentence for each decision: what it does, who made it, why, until when, or why it does nothing.
    pub fn notes(&self) -> Vec<String> {
        self.effects.iter().map(|effect| self.note(effect)).collect()
    }

    fn note(&self, effect: &Effect) -> String {
        let Self { store, region, axis, .. } = self;
        let overlay = &effect.overlay;
        let wish = format!("{} wants {} ({})", who(overlay), self.wish(overlay), overlay.why);
        format!("{axis} of `{store}` in {region}: {wish}; {}", self.told(effect))
    }

    /// What becomes of a decision.
    pub fn told(&self, effect: &Effect) -> String {
        let overlay = &effect.overlay;
        let until = overlay.until.map(|until| until.to_string()).unwrap_or_default();
        let clamped = self.clamped(effect);
        match &effect.standing {
            Standing::LeftOut(why) => format!("left out: {why}"),
            Standing::InForce => {
                let term = match (overlay.until, overlay.then_return) {
                    (None, _) => "until it is withdrawn".to_owned(),
                    (Some(_), true) => format!("until {until}, and nothing of it after that"),
                    (Some(_), false) => format!("until {until}, and held after that until it is withdrawn"),
                };
                format!("{}{clamped}, {term}", self.does(effect))
            }
            Standing::Holding => format!(
                "its time ended at {until} and it holds until it is withdrawn or decided anew: {}{clamped}",
                self.does(effect)
            ),
            Standing::Returned => {
                format!("its time ended at {until}, and it holds nothing after that, as was said with it")
            }
            Standing::Superseded => {
                format!("its time ended at {until}, and a newer decision has taken its place")
            }
        }
    }

    fn does(&self, effect: &Effect) -> String {
        let (before, after) = (self.shown(&effect.before), self.shown(&effect.after));
        let is_last = self.effects.last().is_some_and(|last| last.overlay.key == effect.overlay.key);
        let over = if effect.after == self.now || is_last {
            String::new()
        } else {
            format!(", and {} holds by another decision", self.shown(&self.now))
        };
        if effect.before == effect.after {
            format!("{after} holds without it{over}")
        } else {
            format!("{after} in place of {before}{over}")
        }
    }

    fn clamped(&self, effect: &Effect) -> String {
        match self.bounds {
            Some((min, max)) if effect.target != effect.overlay.target => {
                let (min, max) = (self.shown(&Target::Count(min)), self.shown(&Target::Count(max)));
                format!(" (the blueprint allows {min} to {max})")
            }
            _ => String::new(),
        }
    }
}
