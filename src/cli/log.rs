//! Tracing to standard error: `RGCTL_LOG` chooses what, as in `RGCTL_LOG=rgctl=debug`.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Variable that chooses what is traced.
const VARIABLE: &str = "RGCTL_LOG";

/// The most that is ever traced, whatever the variable says: beyond it the SDK tells requests and answers whole, and of those that
/// set a password or read one that would be the password.
const MOST: LevelFilter = LevelFilter::DEBUG;

/// What a command tells in its log without being asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Events {
    /// Nothing: it says what it has to say itself.
    None,
    /// What went otherwise than it should.
    Warnings,
    /// What an agent does, as lines or as JSON objects.
    All {
        /// Whether as JSON.
        json: bool,
    },
}

/// Starts tracing when asked to: by the variable, by `-vv`, or by a command that lives for long. Otherwise nothing is set up, so
/// that nothing is paid.
pub fn start(verbose: u8, colour: bool, events: Events) {
    let filter = match (std::env::var(VARIABLE), verbose, events) {
        (Ok(text), _, _) if !text.is_empty() => EnvFilter::new(text),
        (_, 2.., _) => EnvFilter::new("rgctl=debug"),
        (_, _, Events::All { .. }) => EnvFilter::new("warn,rgctl::agent=info,rgctl::operator=info"),
        (_, _, Events::Warnings) => EnvFilter::new("warn"),
        (_, 0 | 1, Events::None) => return,
    };
    // A log that cannot be written, as on a full disk, ends nothing: by default that would panic.
    let told = tracing_subscriber::fmt()
        .with_ansi(colour)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false);
    // A second start in one process keeps the first.
    let _ = match events {
        Events::All { json: true } => told.json().flatten_event(true).finish().with(MOST).try_init(),
        Events::All { json: false } | Events::Warnings | Events::None => told.finish().with(MOST).try_init(),
    };
}
