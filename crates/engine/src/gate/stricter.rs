//! In what some rules are stricter than others, for people. What holds is judged by the gate: all of them do.

use std::collections::BTreeSet;

use rgctl_model::policy::DestructiveAction;
use rgctl_model::rules::{CalendarEntry, CostPolicy, Enforcement, Freeze, Rules};
use rgctl_schema::calendar::Window;
use rgctl_schema::money::Money;

/// One of the words of a policy about cost.
type Word = fn(&CostPolicy) -> Enforcement;

/// What `more` asks for beyond `own`, in the words of a blueprint: nothing where it allows as much.
pub fn stricter(own: &[Rules], more: &[Rules]) -> BTreeSet<String> {
    let forbids = |rules: &[Rules], action| rules.iter().any(|rules| rules.policies.forbids(action));
    let consents =
        DestructiveAction::ALL.into_iter().filter(|action| forbids(more, *action) && !forbids(own, *action));
    let mut found: BTreeSet<String> =
        consents.map(|action| format!("`policies.consent.{action}: never`")).collect();
    found.extend(costs(own, more));
    let windows = |rules: &Rules| rules.policies.maintenance.clone();
    let own_windows: Vec<Window> = own.iter().filter_map(windows).collect();
    if more.iter().filter_map(windows).any(|window| !own_windows.contains(&window)) {
        found.insert("`policies.maintenance`".to_owned());
    }
    let retains = |rules: &[Rules]| rules.iter().any(|rules| rules.policies.retains());
    if retains(more) && !retains(own) {
        found.insert("`policies.deletion: retain`".to_owned());
    }
    for rules in more {
        let frozen = rules.calendar.iter().filter(|entry| entry.freeze != Freeze::Off);
        let new = frozen.filter(|entry| !own.iter().any(|own| freezes_as_much(own, rules, entry)));
        found.extend(new.map(|entry| format!("the freeze `{}`", entry.name)));
    }
    found
}

/// Whether rules have the same freeze, of the same cells.
fn freezes_as_much(own: &Rules, theirs: &Rules, entry: &CalendarEntry) -> bool {
    own.calendar.contains(entry) && (entry.cells.is_empty() || own.cells == theirs.cells)
}

fn costs(own: &[Rules], more: &[Rules]) -> Vec<String> {
    fn of(rules: &[Rules]) -> impl Iterator<Item = &CostPolicy> {
        rules.iter().filter_map(|rules| rules.policies.cost.as_ref())
    }
    let mut found = Vec::new();
    let bounds = of(more).flat_map(|policy| &policy.monthly_max);
    let is_bounded = |max: &Money| {
        let mut bounds = of(own).flat_map(|policy| &policy.monthly_max);
        bounds.any(|own| own.currency == max.currency && own.amount <= max.amount)
    };
    found.extend(
        bounds.filter(|max| !is_bounded(max)).map(|max| format!("`policies.cost.monthlyMax: {max}`")),
    );
    let words: [(&str, Word); 2] =
        [("onExceed", |policy| policy.on_exceed), ("onUnknown", |policy| policy.on_unknown)];
    for (field, word) in words {
        let strictest = |rules: &[Rules]| of(rules).map(word).min().unwrap_or(Enforcement::Ignore);
        if strictest(more) < strictest(own) {
            found.push(format!("`policies.cost.{field}: {}`", strictest(more)));
        }
    }
    found
}
