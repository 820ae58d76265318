//! What the loop tells of itself: looks, queue and blueprints as numbers, and whether the world can be seen.

use super::{Loop, State};
use crate::agent::metrics::{Metric, SERIES_MAX};
use crate::agent::organ::{Condition, Sight};

impl Loop<'_> {
    /// Tells of the looks.
    pub(super) fn tell_sights(&mut self) {
        let (metrics, now) = (self.agent.metrics, self.agent.clock.now());
        let sights = self.agent.organ.sights();
        let labels =
            |sight: &'_ Sight| vec![("account", sight.account.clone()), ("region", sight.region.clone())];
        let level = |metric, of: &dyn Fn(&Sight) -> Option<f64>| {
            let levels = sights.iter().filter_map(|sight| Some((labels(sight), of(sight)?)));
            metrics.set_all(metric, levels);
        };
        level(Metric::SweepAge, &|sight| Some(now.since(sight.seen_at?).as_secs_f64()));
        level(Metric::CloudLooks, &|sight| Some(sight.looks as f64));
        level(Metric::CloudLooksFailed, &|sight| Some(sight.failed as f64));
        level(Metric::CloudCalls, &|sight| Some(sight.calls as f64));
        level(Metric::Sweep, &|sight| Some(sight.took.as_secs_f64()));
        level(Metric::SweepObjects, &|sight| Some(sight.objects as f64));
        let unseen = |sight: &&Sight| sight.failed_in_a_row > 0;
        let names: Vec<&str> = sights.iter().filter(unseen).map(|sight| sight.region.as_str()).collect();
        let is_dark = !sights.is_empty() && names.len() == sights.len();
        // All was judged, and nobody looks anywhere: nothing was asked for, or nothing of it may be made.
        let is_judged = |state: &State| state.condition != Condition::New;
        let has_nothing = self.source_was_read && sights.is_empty() && self.states.values().all(is_judged);
        if has_nothing || sights.iter().any(|sight| sight.looks > 0) {
            let answer = if is_dark { Err(format!("{} cannot be seen", names.join(", "))) } else { Ok(()) };
            self.agent.health.cloud(answer);
        }
        let unseen: Vec<String> = names.into_iter().map(str::to_owned).collect();
        if unseen != self.unseen {
            if unseen.is_empty() {
                tracing::info!(target: "rgctl::agent", "all regions answer again");
            } else {
                tracing::warn!(target: "rgctl::agent", regions = unseen.join(", "), "regions that do not answer");
            }
            self.unseen = unseen;
        }
    }

    pub(super) fn tell_queue(&self) {
        let metrics = self.agent.metrics;
        metrics.set(Metric::QueueDepth, &[], self.queue.due(self.agent.clock.now()) as f64);
        metrics.set(Metric::QueueOldest, &[], self.queue.oldest(self.agent.clock.now()).as_secs_f64());
        metrics.set(Metric::TurnsInFlight, &[], self.queue.in_flight() as f64);
    }

    /// Tells of blueprints: where anything of it has changed, since it goes through all of them.
    pub(super) fn tell_conditions(&self) {
        let metrics = self.agent.metrics;
        let counts = self.conditions();
        let count = |condition| counts.get(&condition).copied().unwrap_or(0) as f64;
        let levels =
            Condition::ALL.map(|condition| (vec![("condition", condition.as_str())], count(condition)));
        metrics.set_all(Metric::Blueprints, levels);
        metrics.set(Metric::PlansPending, &[], count(Condition::Pending));
        let sum = |of: fn(&State) -> usize| self.states.values().map(of).sum::<usize>() as f64;
        metrics.set(Metric::DriftObjects, &[], sum(|state| state.differing));
        metrics.set(Metric::DeletionsHeld, &[], sum(|state| state.deletions_held));
        let is_odd = |state: &State| !matches!(state.condition, Condition::Ready | Condition::New);
        let odd = self.states.iter().filter(|(_, state)| is_odd(state) && self.states.len() <= SERIES_MAX);
        let odd = odd
            .map(|(key, state)| (vec![("blueprint", &**key), ("condition", state.condition.as_str())], 1.0));
        metrics.set_all(Metric::BlueprintHolds, odd);
    }
}
