//! A plan in a file: what was agreed to, with everything that is needed to do exactly that.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::Failure;
use super::exit::Exit;
use super::identities::Identities;
use rgctl_engine::gate;
use rgctl_engine::ledger::Ruled;
use rgctl_machine::inputs::{self, PLAN_BYTES_MAX};
use rgctl_machine::outputs::{self, Replaces};
use rgctl_model::node::Desired;
use rgctl_model::plan::{PLAN_FORMAT, Plan};
use rgctl_model::policy::Policy;
use rgctl_model::rules::Rules;
use rgctl_model::scope::Home;
use rgctl_schema::digest::sha256_hex;
use rgctl_schema::names::{BlueprintName, Fingerprint, RegionId};

/// Format of the file. A file of another format is refused, never guessed at.
pub const SAVED_FORMAT: &str = "rgctl.dev/saved-plan/v4";

/// What all formats of saved plans begin with.
const FORMATS: &str = "rgctl.dev/saved-plan/";

/// What an older plan begins with; nothing else is replaced by a newer one.
const OLDER: Replaces =
    Replaces::Ours { mark: "\"format\": \"rgctl.dev/saved-plan/", otherwise: "no saved plan" };

/// What the file holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedPlan {
    /// Format.
    pub format: String,
    /// The steps.
    pub plan: Plan,
    /// The wish that they come from.
    pub desired: Desired,
    /// What was allowed.
    pub policy: Policy,
    /// The account in which it was made, and in which alone it is carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<Home>,
    /// As whom its regions are worked in, where the documents said it.
    #[serde(default, skip_serializing_if = "Identities::is_empty")]
    pub identities: Identities,
    /// Digests of what it rests on, by region: of one that is held out later nobody can tell whether it is as it was.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub bases: BTreeMap<RegionId, Fingerprint>,
    /// Position in the record at which it was made: what is on record behind it is later.
    pub record: u64,
    /// Position of the last decision that counts in it.
    pub decisions: u64,
    /// Digest of the above: a plan that was edited is not the plan that was agreed to.
    pub digest: String,
}

impl SavedPlan {
    /// A plan to keep, made when the record and the decisions ended at those positions.
    pub fn new(plan: Plan, desired: Desired, policy: Policy, record: u64, decisions: u64) -> Self {
        let (format, identities, home) = (SAVED_FORMAT.to_owned(), Identities::default(), None);
        let (bases, digest) = (BTreeMap::new(), String::new());
        Self { format, plan, desired, policy, home, identities, bases, record, decisions, digest }.sealed()
    }

    /// The same plan, to be carried out in an account, as somebody.
    #[must_use]
    pub fn working_in(self, home: Home, identities: Identities) -> Self {
        Self { home: Some(home), identities, ..self }.sealed()
    }

    /// Refuses another account than the one in which it was made: the worlds of two accounts may look the same.
    pub fn check_home(&self, here: &Home) -> Result<(), Failure> {
        match self.home.as_ref().filter(|home| *home != here) {
            None => Ok(()),
            Some(home) => {
                let message = format!(
                    "the plan was made for {}, and this is {}; nothing was done",
                    home.in_words(),
                    here.in_words()
                );
                Err(Failure::new(Exit::StalePlan, message)
                    .hint("give the profile or the role that it was made with, or make a new plan here"))
            }
        }
    }

    /// The same plan, with what it rests on.
    #[must_use]
    pub fn resting_on(self, bases: BTreeMap<RegionId, Fingerprint>) -> Self {
        Self { bases, ..self }.sealed()
    }

    fn sealed(self) -> Self {
        Self { digest: digest(&self), ..self }
    }

    /// Writes the file in one step.
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(self).map_err(|error| Failure::of(Exit::Error, &error))?;
        Ok(outputs::write_text(path, &text, OLDER)?)
    }

    /// Reads a file back.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = inputs::read_text(path, PLAN_BYTES_MAX)?;
        if let Some(format) = older_format(&text) {
            let message = format!(
                "{} was saved by another version, in the format {format}, which does not say all that this one must know; \
                 nothing was done",
                path.display()
            );
            return Err(Failure::new(Exit::StalePlan, message).hint("make a new plan and look at it"));
        }
        Self::parse(&text).map_err(|why| {
            Failure::new(Exit::BadInput, format!("{} is not a saved plan: {why}", path.display()))
                .hint("make one with `rgctl plan -f BLUEPRINT --out FILE`; blueprints are given with `-f`")
        })
    }

    /// Lets the policies and the calendar of the blueprint as it is now hold beside its own. Yields in what they are
    /// stricter.
    pub fn hold_to(&mut self, name: &BlueprintName, rules: Rules) -> Result<BTreeSet<String>, Failure> {
        if *name != self.plan.blueprint {
            let message =
                format!("the saved plan is of {}, and the blueprint is {name}", self.plan.blueprint);
            return Err(
                Failure::new(Exit::BadInput, message).hint("give the blueprint that the plan was made from")
            );
        }
        Ok(self.add(vec![rules]))
    }

    /// Lets what the last run on record obeyed hold beside its own, if that run came after the plan. Yields in what it is
    /// stricter. What cannot be read may forbid anything, so that it is a no.
    pub fn hold_to_record(&mut self, ruled: Option<&Ruled>) -> Result<BTreeSet<String>, Failure> {
        // Clocks of two machines may be apart, so that either the place or the time makes it a later one.
        let later = ruled.filter(|ruled| ruled.seq > self.record || ruled.at > self.plan.made);
        let Some(ruled) = later else { return Ok(BTreeSet::new()) };
        let obeyed = ruled.rules.read().map_err(|why| {
            let (run, at) = (&ruled.run, ruled.at);
            let message = format!(
                "the policies and the calendar cannot be read that {run} obeyed at {at}, after the plan was made: {why}; \
                 nothing was done"
            );
            Failure::new(Exit::Refused, message)
                .hint("use the version of rgctl that made that run, or a newer one")
                .hint("or make a new plan from the blueprint as it is now and look at it: `rgctl plan -f BLUEPRINT --out FILE`")
        })?;
        Ok(self.add(obeyed))
    }

    /// Each of them holds, so that the strictest does; what is there already is not judged twice.
    fn add(&mut self, rules: Vec<Rules>) -> BTreeSet<String> {
        let stricter = gate::stricter(&self.desired.rules, &rules);
        for rules in rules {
            if !self.desired.rules.contains(&rules) {
                self.desired.rules.push(rules);
            }
        }
        stricter
    }

    /// Reads the text of a file, or says why it is no saved plan.
    pub fn parse(text: &str) -> Result<Self, String> {
        // Straight into what it should be: of a text that is something else, nothing is kept.
        let head: Head = serde_json::from_str(text).map_err(|error| error.to_string())?;
        match head.format.as_deref() {
            Some(SAVED_FORMAT) => {}
            Some(PLAN_FORMAT) => {
                return Err("it is the output of `plan -o json`, without the wish".to_owned());
            }
            Some(other) => return Err(format!("its format is {other}, expected {SAVED_FORMAT}")),
            None => return Err("it names no format".to_owned()),
        }
        let saved: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if saved.digest != digest(&saved) {
            return Err("it was changed after it was made".to_owned());
        }
        // The digest is of what was read, and one value may be read from several texts: a number's last digits, a zone's case.
        let written = [serde_json::to_string_pretty(&saved), serde_json::to_string(&saved)];
        if !written.iter().flatten().any(|written| written == text.trim_end()) {
            return Err("it was changed after it was made".to_owned());
        }
        Ok(saved)
    }
}

/// The beginning of a file, whatever else it holds.
#[derive(Deserialize)]
struct Head {
    format: Option<String>,
}

/// The format of a saved plan of another version.
fn older_format(text: &str) -> Option<String> {
    let head: Head = serde_json::from_str(text).ok()?;
    head.format.filter(|format| format.starts_with(FORMATS) && format != SAVED_FORMAT)
}

fn digest(saved: &SavedPlan) -> String {
    let SavedPlan { format: _, plan, desired, policy, home, identities, bases, record, decisions, digest: _ } =
        saved;
    // Plain data always serialises; an empty text would only make the digest differ, and so be noticed.
    let content = (plan, desired, policy, home, identities, bases, record, decisions);
    let text = serde_json::to_vec(&content).unwrap_or_default();
    sha256_hex(&text)
}
