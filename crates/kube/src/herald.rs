//! Events: what happened to a resource, for people who ask `kubectl describe`.
//!
//! **Invariant:** who tells the same again within a few minutes raises the count of the one event.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};

use crate::desk::DeskError;
use crate::happening::Happening;
use crate::item::{Place, Watched};
use crate::kinds::{API_VERSION, OPERATOR};

/// The longest text of an event that the API server takes, in bytes.
const NOTE_BYTES_MAX: usize = 1_024;

/// Tells events.
#[derive(Clone)]
pub struct Herald(Recorder);

impl Herald {
    /// By a client, as this process.
    pub fn new(client: Client, process: String) -> Self {
        Self(Recorder::new(client, Reporter { controller: OPERATOR.to_owned(), instance: Some(process) }))
    }

    /// Tells one.
    pub async fn tell(
        &self,
        what: Watched,
        place: &Place,
        uid: &str,
        happening: &Happening,
    ) -> Result<(), DeskError> {
        let of = ObjectReference {
            api_version: Some(API_VERSION.to_owned()),
            kind: Some(what.kind().to_owned()),
            name: Some(place.name.to_string()),
            namespace: Some(place.namespace.to_string()).filter(|name| !name.is_empty()),
            uid: Some(uid.to_owned()),
            ..ObjectReference::default()
        };
        let event = Event {
            type_: if happening.is_warning { EventType::Warning } else { EventType::Normal },
            reason: happening.reason.to_owned(),
            note: Some(short(&happening.note)).filter(|note| !note.is_empty()),
            action: happening.action.to_owned(),
            secondary: None,
        };
        Ok(self.0.publish(&event, &of).await?)
    }
}

/// As much of a text as the API server takes.
fn short(text: &str) -> String {
    if text.len() <= NOTE_BYTES_MAX {
        return text.to_owned();
    }
    let mut end = NOTE_BYTES_MAX - '…'.len_utf8();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_where_a_letter_ends() {
        let cut = short(&"ä".repeat(900));
        assert!(cut.len() <= NOTE_BYTES_MAX && cut.ends_with('…'), "{}", cut.len());
        assert_eq!(short("a"), "a");
    }
}
