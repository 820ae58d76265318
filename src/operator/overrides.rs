//! Overrides as decisions: a number that somebody, or a scaler by the scale subresource, wants of an axis.
//!
//! Goes in: override objects, what stands. Comes out: decisions to be written, and what each override is told.
//!
//! **Invariant:** it follows from what there is now: an override that is gone is withdrawn whenever that is seen.
//! **Invariant:** what somebody else decided after an override was written stands until that is written anew.

use std::collections::BTreeMap;
use std::sync::Arc;

use rgctl_blueprint::desired::overlays::Resolved;
use rgctl_kube::item::Item;
use rgctl_kube::kinds::condition::{Condition, Holds, set, types};
use rgctl_kube::kinds::overrides::{OverrideSpec, OverrideStatus, selector};
use rgctl_model::overlay::{Decision, Decisions, Overlay, OverlayKey, Target};
use rgctl_schema::time::Moment;

/// What is told of one override.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Which.
    pub item: Arc<Item>,
    /// What it decides about, where it can be read.
    pub key: Option<OverlayKey>,
    /// Whether it holds.
    pub holds: bool,
    /// Why, in a word.
    pub reason: &'static str,
    /// Why.
    pub message: String,
    /// Whether this version of it was judged: what nobody decides about is judged when somebody may.
    pub is_judged: bool,
}

/// Who decided, as the record has it.
pub fn by(item: &Item) -> String {
    format!("{BY}{}", item.place)
}

/// How everything begins that an override of any namespace decided.
const BY: &str = "override ";

/// The reason of an override about which nothing is decided for now.
const UNDECIDED: &str = "Undecided";

/// The reason of an override whose blueprint is not in its namespace.
const NO_BLUEPRINT: &str = "NoBlueprint";

/// What is told of an override whose blueprint is not in its namespace.
pub fn lost(item: &Arc<Item>) -> Told {
    let spec = item.spec();
    let of = spec.get("blueprint").and_then(|name| name.as_str()).unwrap_or_default();
    Told {
        item: Arc::clone(item),
        key: None,
        holds: false,
        reason: NO_BLUEPRINT,
        message: format!(
            "there is no blueprint {of} in {}: it says nothing of anything",
            item.place.namespace
        ),
        is_judged: true,
    }
}

/// What is withdrawn when a blueprint is gone: nothing that an override decided about it stands any more.
pub fn withdrawn(standing: &Decisions) -> Vec<Decision> {
    let ours = standing.overlays.iter().filter(|(_, (_, overlay))| overlay.by.starts_with(BY));
    let why = "its blueprint is gone from the cluster";
    ours.map(|(key, (_, overlay))| Decision::Unset {
        key: key.clone(),
        by: overlay.by.clone(),
        why: why.to_owned(),
    })
    .collect()
}

/// Decisions to be written so that what stands is what the overrides of a blueprint say, and what each of them is told.
pub fn decide(overrides: &[Arc<Item>], standing: &Decisions, now: Moment) -> (Vec<Decision>, Vec<Told>) {
    let mut sorted: Vec<&Arc<Item>> = overrides.iter().filter(|item| !item.meta.is_going()).collect();
    sorted.sort_by(|a, b| (a.meta.creation_timestamp, a.uid()).cmp(&(b.meta.creation_timestamp, b.uid())));
    let (mut decisions, mut told) = (Vec::new(), Vec::new());
    let mut firsts: BTreeMap<OverlayKey, String> = BTreeMap::new();
    // Also of another namespace, which had a blueprint of this name before: its overrides say nothing of this one.
    let was_ours = |stands: &Overlay| stands.by.starts_with(BY);
    for item in sorted {
        let say = |key: Option<&OverlayKey>, holds, reason, message: String| Told {
            item: Arc::clone(item),
            key: key.cloned(),
            holds,
            reason,
            message,
            is_judged: true,
        };
        let spec = serde_json::from_str::<OverrideSpec>(&item.spec).map_err(|error| error.to_string());
        let overlay = spec.and_then(|spec| spec.overlay(by(item), now));
        let overlay = match overlay {
            Ok(overlay) => overlay,
            Err(why) => {
                told.push(say(None, false, "BadSpec", why));
                continue;
            }
        };
        let key = overlay.key.clone();
        if let Some(first) = firsts.get(&key) {
            told.push(say(
                Some(&key),
                false,
                "Twice",
                format!("{first} decides about the same, and was there first"),
            ));
            continue;
        }
        firsts.insert(key.clone(), by(item));
        let status: OverrideStatus = serde_json::from_str(&item.status).unwrap_or_default();
        let is_new = status.observed_generation != Some(item.generation());
        match standing.overlays.get(&key) {
            Some((_, stands)) if is_alike(stands, &overlay) => {
                told.push(say(Some(&key), true, "InForce", String::new()));
            }
            Some((_, stands)) if stands.by != overlay.by && !is_new && !was_ours(stands) => {
                let why =
                    format!("{} decided otherwise since: {} ({})", stands.by, stands.target, stands.why);
                told.push(say(Some(&key), false, "Overruled", why));
            }
            _ => {
                decisions.push(Decision::Set { overlay });
                told.push(say(Some(&key), true, "InForce", String::new()));
            }
        }
    }
    for (key, (_, overlay)) in &standing.overlays {
        if was_ours(overlay) && !firsts.contains_key(key) {
            let why = "its override is gone".to_owned();
            decisions.push(Decision::Unset { key: key.clone(), by: overlay.by.clone(), why });
        }
    }
    (decisions, told)
}

/// What is told where these decisions are not made, and why not: who waits for one of them holds nothing by it yet.
pub fn undecided(told: Vec<Told>, decisions: &[Decision], why: &str) -> Vec<Told> {
    let waits = |told: &Told| {
        let is_its = |decision: &Decision| matches!(decision, Decision::Set { overlay } if Some(&overlay.key) == told.key.as_ref());
        told.holds && decisions.iter().any(is_its)
    };
    let tell = |told: Told| {
        if !waits(&told) {
            return told;
        }
        let message = format!("{why}: nothing is decided meanwhile");
        Told { holds: false, reason: UNDECIDED, message, is_judged: false, ..told }
    };
    told.into_iter().map(tell).collect()
}

/// Whether a decision says what an override says; when it was made does not count.
fn is_alike(stands: &Overlay, wanted: &Overlay) -> bool {
    Overlay { set: wanted.set, ..stands.clone() } == *wanted
}

/// The status of an override, after what decisions came to.
pub fn status(told: &Told, decided: &[Resolved], is_there: bool, now: Moment) -> OverrideStatus {
    let before: OverrideStatus = serde_json::from_str(&told.item.status).unwrap_or_default();
    let resolved = told.key.as_ref().and_then(|key| {
        decided.iter().find(|one| (&one.store, &one.region, one.axis) == (&key.store, &key.region, key.axis))
    });
    // What scalers compare with: what holds, once the world is so. Of a blueprint that is not there nothing is known.
    let before_current = before.current.filter(|_| told.reason != NO_BLUEPRINT);
    let holds = resolved.and_then(|one| one.now.count().map(|count| count / one.steps_per_unit.max(1)));
    let current = holds.filter(|_| is_there).or(before_current);
    let (mut message, mut is_held) = (told.message.clone(), told.holds);
    if told.holds && resolved.is_none() {
        (message, is_held) = ("the blueprint has no such store in that region".to_owned(), false);
    } else if let Some(one) = resolved.filter(|_| told.holds && message.is_empty()) {
        message = words(one);
    }
    let mut conditions = before.conditions.clone();
    let condition = |about: &str, status, message: String| Condition {
        about: about.to_owned(),
        status,
        observed_generation: Some(told.item.generation()),
        last_transition_time: now,
        reason: told.reason.to_owned(),
        message,
    };
    set(&mut conditions, condition(types::READY, if is_held { Holds::True } else { Holds::False }, message));
    let judged = if told.is_judged { Some(told.item.generation()) } else { before.observed_generation };
    OverrideStatus {
        observed_generation: judged,
        current,
        selector: Some(selector(told.item.uid())),
        conditions,
    }
}

/// What holds, and within which bounds.
fn words(resolved: &Resolved) -> String {
    let unit = resolved.steps_per_unit.max(1);
    let number = |target: &Target| {
        target.count().map_or_else(|| target.to_string(), |count| (count / unit).to_string())
    };
    let bounds = resolved
        .bounds
        .map_or_else(String::new, |(min, max)| format!(", within {}..{}", min / unit, max / unit));
    format!("{} holds{bounds}", number(&resolved.now))
}

#[cfg(test)]
mod tests {
    use rgctl_kube::item::Watched;
    use serde_json::{Value, json};

    use super::*;

    fn item(name: &str, target: u32, generation: i64, status: &Value) -> Arc<Item> {
        let object = json!({
            "metadata": { "name": name, "namespace": "games", "uid": name, "generation": generation,
                "creationTimestamp": format!("2026-11-28T06:00:0{}Z", name.len()) },
            "spec": { "blueprint": "arena", "store": "players", "region": "us-east-1", "axis": "readers",
                "target": target, "why": "launch" },
            "status": status,
        });
        Arc::new(Item::of(Watched::Override, object).unwrap())
    }

    fn stands(decisions: &[Decision]) -> Decisions {
        let mut standing = Decisions::default();
        for (seq, decision) in (1..).zip(decisions) {
            standing.apply(seq, decision);
        }
        standing
    }

    fn at(seconds: i64) -> Moment {
        Moment::from_secs(seconds)
    }

    #[test]
    fn an_override_is_decided_once_changed_with_its_number_and_withdrawn_when_it_is_gone() {
        let (set, told) = decide(&[item("up", 3, 1, &json!({}))], &Decisions::default(), at(1));
        assert!(matches!(set.as_slice(), [Decision::Set { overlay }] if overlay.target == Target::Count(3)));
        assert!(told[0].holds);
        let standing = stands(&set);
        assert_eq!(decide(&[item("up", 3, 1, &json!({}))], &standing, at(9)).0, []);
        let (more, _) = decide(&[item("up", 5, 2, &json!({}))], &standing, at(9));
        assert!(matches!(more.as_slice(), [Decision::Set { overlay }] if overlay.target == Target::Count(5)));
        let (gone, _) = decide(&[], &standing, at(9));
        assert!(matches!(gone.as_slice(), [Decision::Unset { by, .. }] if by == "override games/up"));
    }

    #[test]
    fn what_an_override_of_another_namespace_decided_is_withdrawn_by_whoever_has_the_name_now() {
        let (mut set, _) = decide(&[item("up", 3, 1, &json!({}))], &Decisions::default(), at(1));
        let [Decision::Set { overlay }] = set.as_mut_slice() else { panic!() };
        overlay.by = "override elsewhere/up".to_owned();
        let standing = stands(&set);
        let (gone, _) = decide(&[], &standing, at(9));
        assert!(matches!(gone.as_slice(), [Decision::Unset { by, .. }] if by == "override elsewhere/up"));
        // And it keeps nobody from deciding anew who was judged before.
        let judged = json!({ "observedGeneration": 1 });
        let (ours, told) = decide(&[item("up", 5, 1, &judged)], &standing, at(9));
        assert!(matches!(ours.as_slice(), [Decision::Set { overlay }] if overlay.by == "override games/up"));
        assert!(told[0].holds);
    }

    #[test]
    fn what_somebody_else_decided_since_stands_until_the_override_is_written_anew() {
        let (set, _) = decide(&[item("up", 3, 1, &json!({}))], &Decisions::default(), at(1));
        let Decision::Set { overlay } = &set[0] else { panic!() };
        let theirs = Overlay { by: "ann".to_owned(), target: Target::Count(4), ..overlay.clone() };
        let standing = stands(&[Decision::Set { overlay: theirs }]);
        let judged = json!({ "observedGeneration": 1 });
        let (none, told) = decide(&[item("up", 3, 1, &judged)], &standing, at(9));
        assert_eq!((none.len(), told[0].holds, told[0].reason), (0, false, "Overruled"));
        assert_eq!(decide(&[item("up", 3, 2, &judged)], &standing, at(9)).0.len(), 1);
        assert_eq!(decide(&[], &standing, at(9)).0, [], "what is another's is not withdrawn");
    }

    #[test]
    fn what_is_not_decided_for_now_is_told_so_and_judged_when_it_may_be() {
        let up = item("up", 3, 1, &json!({}));
        let (decisions, told) = decide(std::slice::from_ref(&up), &Decisions::default(), at(1));
        let told = undecided(told, &decisions, "it is only observed");
        let status = status(&told[0], &[], true, at(9));
        let ready = &status.conditions[0];
        assert_eq!((ready.status, ready.reason.as_str()), (Holds::False, "Undecided"));
        assert!(ready.message.starts_with("it is only observed"), "{}", ready.message);
        assert_eq!(status.observed_generation, None, "later it is new, whatever stands then");
        // What stands already is told as ever.
        let standing = stands(&decisions);
        let (none, told) = decide(&[up], &standing, at(9));
        assert!(none.is_empty() && undecided(told, &none, "it is only observed")[0].holds);
    }

    #[test]
    fn an_override_without_a_blueprint_holds_nothing_and_what_it_decided_is_withdrawn() {
        let up = item("up", 3, 1, &json!({ "observedGeneration": 1, "current": 3 }));
        let (set, _) = decide(std::slice::from_ref(&up), &Decisions::default(), at(1));
        let Decision::Set { overlay } = &set[0] else { panic!() };
        let mut theirs = Overlay { by: "ann".to_owned(), ..overlay.clone() };
        theirs.key.region = rgctl_schema::names::RegionId::new("eu-west-1").unwrap();
        let standing = stands(&[set[0].clone(), Decision::Set { overlay: theirs }]);
        let gone = withdrawn(&standing);
        assert!(
            matches!(gone.as_slice(), [Decision::Unset { by, .. }] if by == "override games/up"),
            "{gone:?}"
        );
        let told = status(&lost(&up), &[], false, at(9));
        assert_eq!((told.conditions[0].status, told.current), (Holds::False, None));
        assert!(told.conditions[0].message.contains("no blueprint arena in games"), "{told:?}");
    }

    #[test]
    fn of_two_about_the_same_the_first_counts_and_the_other_hears_of_it() {
        let both = [item("later", 5, 1, &json!({})), item("up", 3, 1, &json!({}))];
        let (set, told) = decide(&both, &Decisions::default(), at(1));
        assert!(matches!(set.as_slice(), [Decision::Set { overlay }] if overlay.by == "override games/up"));
        assert_eq!(told.iter().map(|one| one.reason).collect::<Vec<_>>(), ["InForce", "Twice"]);
        let standing = stands(&set);
        assert_eq!(decide(&both, &standing, at(1)).0, []);
        // The second has its turn when the first is gone.
        let (next, _) = decide(&both[..1], &standing, at(1));
        assert!(
            matches!(next.as_slice(), [Decision::Set { overlay }] if overlay.by == "override games/later"),
            "{next:?}"
        );
    }
}
