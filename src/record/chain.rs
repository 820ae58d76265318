//! Each line of the record carries the digest of the one before: a line that was changed, removed or slipped in
//! breaks the chain at its place.

use crate::artefacts::journal::{Entry, Event};
use crate::artefacts::scope::Scope;
use crate::seams::Lease;
use crate::vocabulary::digest::sha256_hex;
use crate::vocabulary::time::Moment;

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

/// Checks lines of a scope that follow `last`; yields the position and the fault of the first wrong one.
pub fn verify(
    scope: &Scope,
    last: Option<(u64, String)>,
    entries: &[Entry],
) -> Result<(), (u64, &'static str)> {
    let (mut seq, mut previous) = last.unwrap_or_default();
    for entry in entries {
        let is_home = entry.home.as_ref().is_none_or(|home| *home == scope.home);
        if entry.blueprint != scope.blueprint || !is_home {
            return Err((entry.seq, "it is a line of another record"));
        }
        if entry.seq != seq + 1 {
            return Err((seq + 1, "a line is missing, or stands twice"));
        }
        if entry.previous != previous {
            return Err((entry.seq, "the line before it was changed or removed"));
        }
        if digest(entry) != entry.hash {
            return Err((entry.seq, "its content was changed"));
        }
        seq = entry.seq;
        previous.clone_from(&entry.hash);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artefacts::journal::Outcome;
    use crate::vocabulary::names::RunId;

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
        };
        let event = |text: &str| Event::Closed { outcome: Outcome::Settled, summary: text.into() };
        seal(&lease, None, Moment::EPOCH, &[event("one"), event("two"), event("three")])
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
