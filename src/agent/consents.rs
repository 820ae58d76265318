//! Consents for an agent, in a file: what may be destroyed, by blueprint.
//!
//! Goes in: a text. Comes out: consents by blueprint, or the first line that is none.
//!
//! **Invariant:** fails closed: a text with one wrong line consents to nothing.

use std::collections::{BTreeMap, BTreeSet};

use rgctl_model::policy::Consent;
use rgctl_schema::names::BlueprintName;

/// What may be destroyed, by blueprint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Consents(BTreeMap<BlueprintName, BTreeSet<Consent>>);

impl Consents {
    /// Reads a text: one consent a line, `BLUEPRINT CONSENT`, as in `arena delete:accounts@eu-west-1`; `#` begins a remark.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut all: BTreeMap<BlueprintName, BTreeSet<Consent>> = BTreeMap::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_whitespace();
            let Some(blueprint) = words.next() else { continue };
            let refused = |why: &str| {
                format!(
                    "line {number}: {why}; write `BLUEPRINT CONSENT`, such as `arena delete:accounts@eu-west-1`"
                )
            };
            let blueprint = BlueprintName::new(blueprint)
                .map_err(|error| refused(&format!("`{blueprint}` is no name of a blueprint: {error}")))?;
            let (Some(word), None) = (words.next(), words.next()) else {
                return Err(refused("expected a blueprint and one consent"));
            };
            let consent = Consent::parse(word).ok_or_else(|| refused(&format!("`{word}` is no consent")))?;
            all.entry(blueprint).or_default().insert(consent);
        }
        Ok(Self(all))
    }

    /// The blueprints to which something else is consented than there.
    pub fn differing(&self, other: &Self) -> BTreeSet<BlueprintName> {
        let names = self.0.keys().chain(other.0.keys());
        names.filter(|name| self.0.get(*name) != other.0.get(*name)).cloned().collect()
    }

    /// Those of a blueprint.
    pub fn of(&self, blueprint: &str) -> BTreeSet<Consent> {
        let found = self.0.iter().find(|(name, _)| name.as_str() == blueprint);
        found.map(|(_, consents)| consents.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consent_is_for_one_blueprint_and_one_wrong_line_consents_to_nothing() {
        let text = "# agreed on Monday\narena delete:accounts@eu-west-1\narena window:accounts  # tonight\n\nlight shrink:*@us-east-1\n";
        let consents = Consents::parse(text).unwrap();
        assert_eq!(consents.of("arena").len(), 2);
        assert_eq!(consents.of("light").len(), 1);
        assert_eq!(consents.of("other").len(), 0);
        let later = Consents::parse("arena window:accounts\nlight shrink:*@us-east-1\n").unwrap();
        assert_eq!(
            later.differing(&consents).iter().map(BlueprintName::as_str).collect::<Vec<_>>(),
            ["arena"]
        );
        for (wrong, why) in [
            ("arena\n", "line 1: expected a blueprint and one consent"),
            ("arena delete:accounts@eu-west-1\nARENA delete:a@b\n", "line 2: `ARENA` is no name"),
            ("arena *:accounts@eu-west-1\n", "`*:accounts@eu-west-1` is no consent"),
            ("arena delete:accounts\n", "`delete:accounts` is no consent"),
            ("arena delete:a@eu-west-1 delete:b@eu-west-1\n", "one consent"),
        ] {
            let told = Consents::parse(wrong).unwrap_err();
            assert!(told.contains(why), "{told}");
        }
    }
}
