//! Decisions that are made while `apply -f` runs: what grows joins the run, the rest waits for the next one.
//!
//! **Invariant:** pure but for the blueprint that was read: nothing is read anew, so that an edited file changes no run.

use std::collections::{BTreeMap, BTreeSet};

use super::load::LoadedBlueprint;
use crate::report::overlays::decision_words;
use rgctl_engine::execution::source::Source;
use rgctl_model::node::{Desired, Node};
use rgctl_model::overlay::{Decided, Decision, Decisions};
use rgctl_schema::time::Moment;

/// What a blueprint comes to, with what is decided while it is carried out.
pub struct Following<'a> {
    loaded: &'a LoadedBlueprint,
    desired: Desired,
    /// What counts in this run.
    taken: Decisions,
    /// What stands, also what waits for the next run.
    standing: Decisions,
}

impl<'a> Following<'a> {
    /// From what counted when the run was planned.
    pub fn new(loaded: &'a LoadedBlueprint) -> Self {
        let standing = loaded.standing.clone();
        Self { loaded, desired: loaded.desired.clone(), taken: standing.clone(), standing }
    }

    fn take(&mut self, line: &Decided) -> Option<String> {
        let mut taken = self.taken.clone();
        taken.apply(line.seq, &line.what);
        if !matches!(line.what, Decision::Set { .. } | Decision::Unset { .. }) {
            self.taken = taken;
            return None;
        }
        let told = format!(
            "{} {} ({})",
            line.what.by(),
            decision_words(&line.what, self.loaded.steps_per_unit(&line.what)),
            line.what.why()
        );
        let Some(mut desired) = self.loaded.rebuilt(&taken) else {
            return Some(format!(
                "waits for the next run: {told}; with it the blueprint does not hold together"
            ));
        };
        // What the blueprint has left is looked at all the same.
        desired.regions.extend(self.desired.regions.iter().cloned());
        if takes_away(&self.desired, &desired) {
            return Some(format!("waits for the next run, since it makes something smaller: {told}"));
        }
        let is_new = desired.fingerprint != self.desired.fingerprint;
        (self.taken, self.desired) = (taken, desired);
        Some(if is_new { format!("joins this run: {told}") } else { format!("as it is already: {told}") })
    }
}

impl Source for Following<'_> {
    fn current(&self) -> &Desired {
        &self.desired
    }

    fn seq(&self) -> u64 {
        self.standing.last_seq
    }

    fn follow(&mut self, decided: &[Decided], _: Moment) -> Vec<String> {
        if let Err((seq, why)) = self.standing.follow(decided) {
            // What cannot be followed counts at the next run, which reads what stands.
            self.standing.last_seq = decided.last().map_or(seq, |last| last.seq);
            return vec![format!(
                "what is decided from now on waits for the next run: decision {seq}: {why}"
            )];
        }
        decided.iter().filter_map(|line| self.take(line)).collect()
    }
}

/// Whether something that is wanted would go, or have less of anything that is counted.
fn takes_away(now: &Desired, then: &Desired) -> bool {
    let is_less = |node: &Node| {
        let Some(other) = then.nodes.get(&node.address) else { return true };
        let numbers: BTreeMap<&str, f64> = numbers(other).collect();
        numbers_less(node, &numbers)
    };
    let asks = |desired: &Desired| -> BTreeSet<_> {
        let fields = desired.lowered.fields.iter();
        let fields = fields
            .flat_map(|(address, names)| names.iter().map(|name| (address.clone(), Some(name.clone()))));
        desired.lowered.objects.iter().map(|address| (address.clone(), None)).chain(fields).collect()
    };
    now.nodes.values().any(is_less) || !asks(then).is_subset(&asks(now))
}

fn numbers(node: &Node) -> impl Iterator<Item = (&'static str, f64)> {
    node.attrs.set_fields().into_iter().filter_map(|(name, value)| Some((name, value.as_f64()?)))
}

fn numbers_less(node: &Node, then: &BTreeMap<&str, f64>) -> bool {
    numbers(node).any(|(name, number)| then.get(name).is_some_and(|then| *then < number))
}
