//! Whether what is wanted of a blueprint has changed without anybody having wanted it: by a new version, or by its catalogue.
//!
//! **Invariant:** what nobody changed is done by a new version on consent only. What is not known to be anybody's change counts as
//! one of those.

use rgctl_schema::names::Fingerprint;
use serde::{Deserialize, Serialize};

/// Name of the memory in the record.
pub const MEMORY: &str = "operator";

/// What was taken up last: which text, by which version, and what that came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenUp {
    /// Version of the program, and of its catalogue.
    pub version: String,
    /// Digest of the text.
    pub text: String,
    /// What should exist by it.
    pub desired: Fingerprint,
}

/// What is to be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is what was taken up last.
    Known,
    /// It is taken up: somebody wants it.
    TakeUp,
    /// Nobody changed anything, and all the same something else is wanted.
    Hold,
}

/// Judges what is wanted now after what was taken up last; `recorded` is what the last run on record wanted, of whomever.
pub fn judge(now: &TakenUp, before: Option<&TakenUp>, recorded: Option<&Fingerprint>) -> Verdict {
    match before {
        Some(before) if before == now => Verdict::Known,
        // A date, a decision, or the version alone: then nothing else is wanted by it.
        Some(before) if before.desired == now.desired || before.version == now.version => Verdict::TakeUp,
        Some(before) if before.text != now.text => Verdict::TakeUp,
        Some(_) => Verdict::Hold,
        // What somebody else made, such as the command line, is taken up as it is; what would change it waits.
        None => match recorded {
            Some(recorded) if *recorded != now.desired => Verdict::Hold,
            Some(_) | None => Verdict::TakeUp,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(version: &str, text: &str, desired: &str) -> TakenUp {
        TakenUp {
            version: version.to_owned(),
            text: text.to_owned(),
            desired: Fingerprint(desired.to_owned()),
        }
    }

    #[test]
    fn what_a_new_version_wants_of_an_unchanged_text_is_held() {
        let before = taken("1", "a", "x");
        let verdict = |now: TakenUp| judge(&now, Some(&before), None);
        assert_eq!(verdict(taken("1", "a", "x")), Verdict::Known);
        assert_eq!(verdict(taken("2", "a", "y")), Verdict::Hold);
        assert_eq!(verdict(taken("2", "a", "x")), Verdict::TakeUp, "it wants the same");
        assert_eq!(verdict(taken("1", "a", "y")), Verdict::TakeUp, "a decision, or a date");
        assert_eq!(verdict(taken("1", "b", "y")), Verdict::TakeUp);
        assert_eq!(verdict(taken("2", "b", "y")), Verdict::TakeUp, "somebody changed the text");
    }

    #[test]
    fn what_somebody_else_made_is_taken_up_as_it_is_and_not_changed_unasked() {
        let (now, same) = (taken("1", "a", "x"), Fingerprint("x".to_owned()));
        assert_eq!(judge(&now, None, None), Verdict::TakeUp);
        assert_eq!(judge(&now, None, Some(&same)), Verdict::TakeUp);
        assert_eq!(judge(&now, None, Some(&Fingerprint("y".to_owned()))), Verdict::Hold);
    }
}
