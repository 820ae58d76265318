//! Each line of the record carries the digest of the one before: a line that was changed, removed or slipped in
//! breaks the chain at its place.

use crate::inbox::{Message, Request};
use crate::journal::{Entry, Event};
use crate::overlay::{Decided, Decision, Decisions};
use crate::ports::{DECISION_BYTES_MAX, Lease, STANDING_MAX, StoreError};
use crate::scope::Scope;
use rgctl_schema::digest::sha256_hex;
use rgctl_schema::time::Moment;

/// Digest of a line, over everything in it and the digest of the line before.
pub fn digest(entry: &Entry) -> String {
    let content =
        (&entry.previous, entry.seq, entry.at, &entry.blueprint, &entry.run, &entry.actor, &entry.what);
    // A tuple of plain data always serialises; an empty text would only make the digest wrong, and so be noticed.
    let text = match &entry.home {
        Some(home) => serde_json::to_string(&(home, content)),
        // Records of old knew no accounts.
        None => serde_json::to_string(&content),
    };
    let text = text.unwrap_or_default();
    sha256_hex(text.as_bytes())
}

/// Lines for events, chained to the line that came before.
pub fn seal(lease: &Lease, last: Option<(u64, String)>, at: Moment, events: &[Event]) -> Vec<Entry> {
    let (mut seq, mut previous) = last.unwrap_or_default();
    let mut entries = Vec::with_capacity(events.len());
    for what in events {
        seq += 1;
        let mut entry = Entry {
            seq,
            at,
            blueprint: lease.scope.blueprint.clone(),
            home: Some(lease.scope.home.clone()),
            run: lease.run.clone(),
            actor: lease.owner.clone(),
            what: what.clone(),
            previous: previous.clone(),
            hash: String::new(),
        };
        entry.hash = digest(&entry);
        previous.clone_from(&entry.hash);
        entries.push(entry);
    }
    entries
}

/// A line of a chain.
pub trait Line {
    /// Position, from 1.
    fn seq(&self) -> u64;
    /// Digest of the line before.
    fn previous(&self) -> &str;
    /// Digest that it carries.
    fn hash(&self) -> &str;
    /// Digest that it ought to carry.
    fn digest(&self) -> String;
    /// Whether it is one of that scope.
    fn is_of(&self, scope: &Scope) -> bool;
}

impl Line for Entry {
    fn seq(&self) -> u64 {
        self.seq
    }
    fn previous(&self) -> &str {
        &self.previous
    }
    fn hash(&self) -> &str {
        &self.hash
    }
    fn digest(&self) -> String {
        digest(self)
    }
    fn is_of(&self, scope: &Scope) -> bool {
        self.blueprint == scope.blueprint && self.home.as_ref().is_none_or(|home| *home == scope.home)
    }
}

/// Lines that say whose they are in full.
macro_rules! scoped_line {
    ($name:ty, $digest:expr) => {
        impl Line for $name {
            fn seq(&self) -> u64 {
                self.seq
            }
            fn previous(&self) -> &str {
                &self.previous
            }
            fn hash(&self) -> &str {
                &self.hash
            }
            fn digest(&self) -> String {
                let content: fn(&$name) -> serde_json::Result<String> = $digest;
                sha256_hex(content(self).unwrap_or_default().as_bytes())
            }
            fn is_of(&self, scope: &Scope) -> bool {
                self.scope == *scope
            }
        }
    };
}
scoped_line!(Message, |one| serde_json::to_string(&(
    &one.previous,
    one.seq,
    one.at,
    &one.scope,
    &one.from,
    &one.what
)));
scoped_line!(Decided, |one| serde_json::to_string(&(
    &one.previous,
    one.seq,
    one.at,
    &one.scope,
    &one.what,
    &one.standing
)));

/// Checks lines of a scope that follow `last`; yields the position and the fault of the first wrong one.
pub fn verify<L: Line>(
    scope: &Scope,
    last: Option<(u64, String)>,
    lines: &[L],
) -> Result<(), (u64, &'static str)> {
    let (mut seq, mut previous) = last.unwrap_or_default();
    for line in lines {
        if !line.is_of(scope) {
            return Err((line.seq(), "it is a line of another record"));
        }
        if line.seq() != seq + 1 {
            return Err((seq + 1, "a line is missing, or stands twice"));
        }
        if line.previous() != previous {
            return Err((line.seq(), "the line before it was changed or removed"));
        }
        if line.digest() != line.hash() {
            return Err((line.seq(), "its content was changed"));
        }
        seq = line.seq();
        line.hash().clone_into(&mut previous);
    }
    Ok(())
}

/// Checks lines that follow one another, of which the first may be any.
pub fn verify_part<L: Line>(scope: &Scope, lines: &[L]) -> Result<(), (u64, &'static str)> {
    let before = lines.first().map(|first| (first.seq().saturating_sub(1), first.previous().to_owned()));
    verify(scope, before, lines)
}

/// A message, chained to the one that came before.
pub fn seal_message(
    scope: &Scope,
    last: Option<&Message>,
    at: Moment,
    from: &str,
    what: &Request,
) -> Message {
    let mut message = Message {
        seq: last.map_or(0, |last| last.seq) + 1,
        at,
        scope: scope.clone(),
        from: from.to_owned(),
        what: what.clone(),
        previous: last.map(|last| last.hash.clone()).unwrap_or_default(),
        hash: String::new(),
    };
    message.hash = message.digest();
    message
}

/// A decision, chained to the ones before, where the last one about its key is the expected one and there is room for
/// it: the line, and what stands after it.
pub fn seal_decision(
    scope: &Scope,
    known: &Decisions,
    expected: u64,
    at: Moment,
    what: &Decision,
) -> Result<(Decided, Decisions), StoreError> {
    let (key, blueprint) = (what.key(), &scope.blueprint);
    let epoch = known.epoch(&key);
    if epoch != expected {
        return Err(StoreError::Decided { blueprint: blueprint.clone(), key: Box::new(key), epoch });
    }
    let mut after = known.clone();
    after.apply(known.last_seq + 1, what);
    let stand = || format!("decisions that stand, or are still held to, for {blueprint}");
    StoreError::check_size(stand, after.kept(), STANDING_MAX)?;
    let mut line = Decided {
        seq: after.last_seq,
        at,
        scope: scope.clone(),
        what: what.clone(),
        standing: after.digest(),
        previous: known.last_hash.clone(),
        hash: String::new(),
    };
    line.hash = line.digest();
    after.last_hash.clone_from(&line.hash);
    let size = serde_json::to_string(&line).map_or(usize::MAX, |text| text.len());
    let of_line = || format!("bytes of the decision about {key} of {blueprint}");
    StoreError::check_size(of_line, size, DECISION_BYTES_MAX)?;
    Ok((line, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Outcome;
    use rgctl_schema::names::RunId;

    fn game(world: &str) -> Scope {
        Scope::parse(&format!("sim/{world}/game")).unwrap()
    }

    fn some_entries() -> Vec<Entry> {
        let lease = Lease {
            scope: game("one"),
            run: RunId("r1".into()),
            owner: "me".into(),
            epoch: 1,
            until: Moment::EPOCH,
            lasts: rgctl_schema::time::Span::from_mins(1),
            renewals: 0,
        };
        let event =
            |text: &str| Event::Closed { outcome: Outcome::Settled, summary: text.into(), left: None };
        seal(&lease, None, Moment::EPOCH, &[event("one"), event("two"), event("three")])
    }

    #[test]
    fn a_changed_or_removed_message_is_found() {
        let scope = Scope::parse("sim/world/game").unwrap();
        let ask = |last: Option<&Message>, epoch| {
            seal_message(&scope, last, Moment::EPOCH, "ann", &Request::Yield { epoch })
        };
        let first = ask(None, 1);
        let second = ask(Some(&first), 2);
        let third = ask(Some(&second), 3);
        assert_eq!(verify_part(&scope, &[first.clone(), second.clone(), third.clone()]), Ok(()));
        assert_eq!(verify_part(&scope, &[second.clone(), third.clone()]), Ok(()));
        let changed = Message { from: "bob".into(), ..second.clone() };
        assert_eq!(verify_part(&scope, &[first.clone(), changed]), Err((2, "its content was changed")));
        assert!(verify_part(&scope, &[first, third]).is_err());
    }

    fn release(region: &str) -> Decision {
        let region = rgctl_schema::names::RegionId::new(region).unwrap();
        Decision::Release { region, by: "ann".into(), why: "back".into() }
    }

    #[test]
    fn a_decision_that_was_changed_removed_or_slipped_in_is_found() {
        let scope = game("one");
        let (mut known, mut lines) = (Decisions::default(), Vec::new());
        for region in ["us-east-1", "us-east-2", "us-west-1", "us-west-2"] {
            let (line, after) = seal_decision(&scope, &known, 0, Moment::EPOCH, &release(region)).unwrap();
            known = after;
            lines.push(line);
        }
        assert_eq!(verify(&scope, None, &lines), Ok(()));
        assert_eq!(Decisions::fold(&lines).as_ref(), Ok(&known));
        assert!(known.is_after(&lines[3]));
        assert!(verify(&game("two"), None, &lines).is_err(), "those of a world are no other world's");

        let mut changed = lines.clone();
        changed[1].what = release("eu-west-1");
        assert_eq!(verify(&scope, None, &changed), Err((2, "its content was changed")));
        changed[1].hash = changed[1].digest();
        assert_eq!(
            verify(&scope, None, &changed),
            Err((3, "the line before it was changed or removed")),
            "also where its own digest was made to fit"
        );
        for place in 0..3 {
            let mut removed = lines.clone();
            removed.remove(place);
            assert!(verify(&scope, None, &removed).is_err(), "{place}");
            assert!(Decisions::fold(&removed).is_err(), "{place}");
        }
        let mut slipped_in = lines.clone();
        slipped_in.insert(2, lines[1].clone());
        assert!(verify(&scope, None, &slipped_in).is_err());

        // A summary that is not what its line says.
        let mut other = known.clone();
        other.apply(4, &release("sa-east-1"));
        assert!(!other.is_after(&lines[3]));
    }

    #[test]
    fn whoever_rests_on_an_older_decision_is_refused_and_told_the_newer_one() {
        let (scope, what) = (game("one"), release("us-east-1"));
        let (_, known) = seal_decision(&scope, &Decisions::default(), 0, Moment::EPOCH, &what).unwrap();
        let refused = seal_decision(&scope, &known, 0, Moment::EPOCH, &what);
        assert!(matches!(refused, Err(StoreError::Decided { epoch: 1, .. })), "{refused:?}");
        assert!(seal_decision(&scope, &known, 1, Moment::EPOCH, &what).is_ok());
        let long = Decision::Release {
            region: rgctl_schema::names::RegionId::new("us-east-1").unwrap(),
            by: "ann".into(),
            why: "x".repeat(DECISION_BYTES_MAX),
        };
        let refused = seal_decision(&scope, &known, 1, Moment::EPOCH, &long);
        assert!(matches!(refused, Err(StoreError::TooLarge { .. })), "{refused:?}");
    }

    #[test]
    fn a_changed_removed_or_swapped_line_is_found() {
        let good = some_entries();
        assert_eq!(verify(&game("one"), None, &good), Ok(()));

        let mut changed = good.clone();
        changed[1].actor = "somebody else".into();
        assert_eq!(verify(&game("one"), None, &changed), Err((2, "its content was changed")));

        let mut resealed = changed;
        resealed[1].hash = digest(&resealed[1]);
        assert_eq!(
            verify(&game("one"), None, &resealed),
            Err((3, "the line before it was changed or removed"))
        );

        let mut shorter = good.clone();
        shorter.remove(1);
        assert_eq!(verify(&game("one"), None, &shorter), Err((2, "a line is missing, or stands twice")));

        let elsewhere = Err((1, "it is a line of another record"));
        assert_eq!(verify(&game("two"), None, &good), elsewhere, "the record of a world is no other world's");

        assert_eq!(verify(&game("one"), Some((1, good[0].hash.clone())), &good[1..]), Ok(()));
    }
}
