//! Whether the watches of a cluster live, and how many calls are made to it: told to health and to numbers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::operator_feed::{Cluster, Watches};
use crate::agent::health::Health;
use crate::agent::metrics::{Metric, Metrics};
use rgctl_kube::item::Watched;
use rgctl_kube::signs::{Signs, name_of};
use rgctl_machine::SystemClock;
use rgctl_model::ports::Clock;
use rgctl_schema::time::Span;

/// How often that is told.
const TELLS: Duration = Duration::from_secs(2);

/// Since when watches are reckoned with.
pub struct Since {
    /// All of them: a watch that was never heard of is as old as the process.
    pub begun: Span,
    /// Those of kinds whose definition was not there: nothing could be heard of them before.
    pub defined: BTreeMap<Watched, Span>,
}

/// Tells how long each of these watches was silent; never ends.
pub async fn watch_over(
    signs: Signs,
    (watches, cluster): (Watches, Arc<Cluster>),
    health: Arc<Health>,
    metrics: Arc<Metrics>,
) {
    let mut since = Since { begun: SystemClock.since_boot(), defined: BTreeMap::new() };
    loop {
        let now = SystemClock.since_boot();
        since.defined.extend(cluster.resources().undefined().iter().map(|what| (*what, now)));
        tell(&signs, &watches, &since, now, &health, &metrics);
        tokio::time::sleep(TELLS).await;
    }
}

/// Tells it once, at that time since the machine was started.
pub fn tell(signs: &Signs, watches: &Watches, since: &Since, now: Span, health: &Health, metrics: &Metrics) {
    let ages = signs.ages(now);
    let less = |span: Span| Span::from_millis(now.as_millis().saturating_sub(span.as_millis()));
    let all: Vec<(String, Span)> = watches
        .iter()
        .map(|(what, scope)| {
            let name = name_of(*what, scope.as_deref());
            let age = ages.get(&name).copied().unwrap_or_else(|| less(since.begun));
            let most = since.defined.get(what).map_or(age, |then| less(*then));
            (name, age.min(most))
        })
        .collect();
    if let Some((name, age)) = all.iter().max_by_key(|(_, age)| *age) {
        health.watches(less(*age), name);
    }
    metrics.set_all(
        Metric::WatchAge,
        all.iter().map(|(name, age)| (vec![("watch", name.as_str())], age.as_secs_f64())),
    );
    let calls = signs.calls().into_iter();
    let calls = calls.map(|(verb, code, count)| {
        (vec![("verb", verb.to_owned()), ("code", code.to_string())], count as f64)
    });
    metrics.set_all(Metric::KubeCalls, calls);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_of_a_kind_that_is_not_defined_makes_nobody_ill_and_is_reckoned_with_from_when_it_is() {
        let (health, metrics) = (Health::new(&SystemClock), Metrics::new("test"));
        let (signs, watches) = (Signs::default(), vec![(Watched::Plan, None)]);
        let begun = SystemClock.since_boot();
        let mut since = Since { begun, defined: BTreeMap::new() };
        let silent = |since: &Since, now: Span| {
            tell(&signs, &watches, since, now, &health, &metrics);
            let page = metrics.text();
            let line = page.lines().find(|line| line.starts_with("rgctl_watch_age_seconds{"));
            line.unwrap().rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()
        };
        let later = begun + Span::from_mins(30);
        assert!(silent(&since, later) >= 1_799.0);
        since.defined.insert(Watched::Plan, later);
        assert!(silent(&since, later) < 1.0);
        assert!(silent(&since, later + Span::from_mins(5)) >= 299.0, "it is to be heard of by now");
    }
}
