//! Whether the watches of a cluster live, and how many calls are made to it: told to health and to numbers.

use std::sync::Arc;
use std::time::Duration;

use super::operator_feed::Watches;
use crate::agent::health::Health;
use crate::agent::metrics::{Metric, Metrics};
use rgctl_kube::signs::{Signs, name_of};
use rgctl_machine::SystemClock;
use rgctl_model::ports::Clock;
use rgctl_schema::time::Span;

/// How often that is told.
const TELLS: Duration = Duration::from_secs(2);

/// Tells how long each of these watches was silent; never ends.
pub async fn watch_over(signs: Signs, watches: Watches, health: Arc<Health>, metrics: Arc<Metrics>) {
    let begun = SystemClock.since_boot();
    loop {
        tell(&signs, &watches, begun, &health, &metrics);
        tokio::time::sleep(TELLS).await;
    }
}

/// Tells it once. A watch that was never heard of is as old as the process.
pub fn tell(signs: &Signs, watches: &Watches, begun: Span, health: &Health, metrics: &Metrics) {
    let now = SystemClock.since_boot();
    let ages = signs.ages(now);
    let never = Span::from_millis(now.as_millis().saturating_sub(begun.as_millis()));
    let all: Vec<(String, Span)> = watches
        .iter()
        .map(|(what, scope)| {
            let name = name_of(*what, scope.as_deref());
            let age = ages.get(&name).copied().unwrap_or(never);
            (name, age)
        })
        .collect();
    if let Some((name, age)) = all.iter().max_by_key(|(_, age)| *age) {
        health.watches(Span::from_millis(now.as_millis().saturating_sub(age.as_millis())), name);
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
