//! Each line of the record carries the digest of the one before: a line that was changed, removed or slipped in
//! breaks the chain at its place.

use crate::inbox::{Message, Request};
use crate::journal::{Entry, Event};
use crate::ports::Lease;
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

fn digest_of_message(message: &Message) -> String {
    let content = (&message.previous, message.seq, message.at, &message.scope, &message.from, &message.what);
    sha256_hex(serde_json::to_string(&content).unwrap_or_default().as_bytes())
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
    message.hash = digest_of_message(&message);
    message
}

/// Checks messages that follow one another, of which the first may be any; yields the position and the fault of the first
/// wrong one.
pub fn verify_messages(messages: &[Message]) -> Result<(), (u64, &'static str)> {
    for (place, message) in messages.iter().enumerate() {
        if digest_of_message(message) != message.hash {
            return Err((message.seq, "its content was changed"));
        }
        let before = place.checked_sub(1).and_then(|place| messages.get(place));
        if before.is_some_and(|before| (before.seq + 1, &before.hash) != (message.seq, &message.previous)) {
            return Err((message.seq, "the message before it was changed or removed"));
        }
    }
    Ok(())
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
        let event = |text: &str| Event::Closed { outcome: Outcome::Settled, summary: text.into() };
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
        assert_eq!(verify_messages(&[first.clone(), second.clone(), third.clone()]), Ok(()));
        assert_eq!(verify_messages(&[second.clone(), third.clone()]), Ok(()));
        let changed = Message { from: "bob".into(), ..second.clone() };
        assert_eq!(verify_messages(&[first.clone(), changed]), Err((2, "its content was changed")));
        assert!(verify_messages(&[first, third]).is_err());
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
