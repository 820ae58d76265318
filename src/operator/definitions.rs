//! Whether the definitions in the cluster are those that this version works by.
//!
//! Goes in: the definitions as they were told. Comes out: why nothing is to be begun with them, and what to do.
//!
//! **Invariant:** older ones are refused: what they do not know they drop, and a field that is dropped is an order that is not obeyed.
//! **Invariant:** newer ones are taken: they add optional fields only, which are kept and, where somebody sets one that this version
//! does not know, refused by the reader of documents for that one object.

use std::collections::BTreeSet;

use rgctl_kube::crds::{Printed, REVISION};
use rgctl_kube::item::{Item, Place, Watched};
use rgctl_kube::kinds::{GROUP, marks};

/// What the definitions are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Those of this version.
    Own,
    /// Those of a later one, which this version can work by.
    Newer,
    /// Something else; why, and what to do.
    Refused(String),
}

/// What brings them up to date.
const REMEDY: &str =
    "bring them up to date with `rgctl operator crds | kubectl apply --server-side -f -` of this version";

/// The kinds whose definition is not there: nothing can be heard of them.
pub fn missing<'a>(printed: &[Printed], there: impl Fn(&Place) -> Option<&'a Item>) -> BTreeSet<Watched> {
    let is_missing = |what: &Watched| {
        let name = format!("{}.{GROUP}", what.plural());
        printed.iter().any(|own| own.name == name) && there(&Place::new("", &name)).is_none()
    };
    Watched::ALL.into_iter().filter(is_missing).collect()
}

/// What is said of definitions that are right, while what there is of their kinds is read.
pub const NOT_READ: &str = "the definitions are there again, and what there is of their kinds was not read yet: nothing is begun before that";

/// Judges the definitions that there are by those that are printed.
pub fn judge<'a>(printed: &[Printed], there: impl Fn(&Place) -> Option<&'a Item>) -> Verdict {
    let mut is_newer = false;
    for own in printed {
        let name = &own.name;
        let refused =
            |why: &str| Verdict::Refused(format!("the definition {name} {why}: nothing is begun; {REMEDY}"));
        let Some(item) = there(&Place::new("", name)) else { return refused("is not there") };
        let revision =
            item.meta.mark(marks::REVISION).and_then(|text| text.parse::<u32>().ok()).unwrap_or_default();
        match revision.cmp(&REVISION) {
            std::cmp::Ordering::Less => {
                return refused(&format!(
                    "is older (revision {revision}) than this version of rgctl (revision {REVISION})"
                ));
            }
            std::cmp::Ordering::Equal if item.meta.mark(marks::SCHEMA) != Some(own.digest.as_str()) => {
                return refused(
                    "was not printed by this version of rgctl, although it has the same revision",
                );
            }
            std::cmp::Ordering::Equal => {}
            std::cmp::Ordering::Greater => is_newer = true,
        }
    }
    if is_newer { Verdict::Newer } else { Verdict::Own }
}

#[cfg(test)]
mod tests {
    use rgctl_kube::crds::printed;
    use serde_json::json;

    use super::*;

    fn definitions(revision: &str, digest: impl Fn(&Printed) -> String) -> Vec<Item> {
        let of = |one: &Printed| {
            let marks = json!({ marks::REVISION: revision, marks::SCHEMA: digest(one) });
            let object = json!({ "metadata": { "name": one.name, "annotations": marks } });
            Item::of(Watched::Definition, object).unwrap()
        };
        printed().iter().map(of).collect()
    }

    fn judged(items: &[Item]) -> Verdict {
        judge(&printed(), |place| items.iter().find(|item| item.place == *place))
    }

    #[test]
    fn own_and_newer_definitions_are_worked_by_and_older_ones_missing_ones_and_others_are_refused() {
        let own = |one: &Printed| one.digest.clone();
        let now = REVISION.to_string();
        assert_eq!(judged(&definitions(&now, own)), Verdict::Own);
        assert_eq!(judged(&definitions("99", |_| "other".to_owned())), Verdict::Newer);
        let refused = |items: &[Item], why: &str| match judged(items) {
            Verdict::Refused(said) => assert!(said.contains(why) && said.contains(REMEDY), "{said}"),
            other => panic!("{other:?}"),
        };
        refused(&definitions("1", own), "is older (revision 1)");
        refused(&definitions("", own), "is older (revision 0)");
        refused(&definitions(&now, |_| "other".to_owned()), "was not printed by this version");
        refused(&definitions(&now, own)[1..], "is not there");
        // What is not there is waited for, and nothing is heard of its kind until then.
        let some = definitions(&now, own);
        let lacks =
            |items: &[Item]| missing(&printed(), |place| items.iter().find(|item| item.place == *place));
        assert_eq!(lacks(&some), BTreeSet::new());
        let name = |item: &Item| item.place.name.to_string();
        let without: Vec<Item> = some.into_iter().filter(|item| name(item) != "plans.rgctl.dev").collect();
        assert_eq!(lacks(&without), BTreeSet::from([Watched::Plan]));
        assert_eq!(lacks(&[]).len(), printed().len(), "and none that is not defined here");
        // One that was left behind is enough.
        let mut mixed = definitions("99", own);
        mixed[2] = definitions("1", own).remove(2);
        refused(&mixed, "is older");
    }
}
