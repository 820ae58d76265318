//! Exit codes: one table that the program, `--help` and `docs/exit-codes.md` are made from.

use std::process::ExitCode;

macro_rules! exits {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $title:literal, $next:literal;)+) => {
        /// How a command ended.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Exit {
            $($(#[doc = $doc])+ $name = $code,)+
        }

        impl Exit {
            /// Every way to end, by code.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The number that the shell sees.
            pub const fn code(self) -> u8 {
                match self { $(Self::$name => $code),+ }
            }
            /// In a few words.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title),+ }
            }
            /// What it means.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+)),+ }
            }
            /// What a person or a script does next.
            pub const fn next(self) -> &'static str {
                match self { $(Self::$name => $next),+ }
            }
        }
    };
}

exits! {
    /// The command did what was asked; the world is as wanted, but for what waits for a maintenance window or a freeze.
    Done = 0, "done", "nothing";
    /// Something failed that no other code names; the message says what.
    Error = 1, "error", "read the message; the same command may be given again";
    /// Differences were found, and were asked for: `plan --detailed-exitcode`, `drift`, `outputs`, `import --region`, `agent run --once`.
    Differences = 2, "differences found", "look at them, then `rgctl apply`";
    /// What the command rests on is no longer so: the saved plan was made for another state of the world or of the blueprint, for
    /// another account or by another version; or somebody else decided first.
    StalePlan = 3, "stale plan", "look again: make a new plan, or decide anew";
    /// The gate says no: a named consent or a yes was not given, or the blueprint's policies forbid it, whoever asks.
    Refused = 4, "refused by policy", "give the consent that the message names, or change the blueprint";
    /// The run was stopped or its deadline came; everything begun is on record.
    Resumable = 5, "stopped half-way, resumable", "give the same command again";
    /// The arguments or the files are wrong; nothing was looked at and nothing was done.
    BadInput = 6, "invalid input", "correct what the diagnostics point at";
    /// Another run works on this blueprint.
    Held = 7, "lease held by another run", "wait for it, or ask it to yield: `--preempt`";
    /// What could be done is done; the rest is blocked: something has failed, is not ours, could not be seen, lies in a region that is held out, or has not moved for a day.
    Blocked = 8, "blocked", "read what is held up and why, act, then give the same command again";
    /// Interrupted twice: left at once, without waiting for calls in flight.
    Interrupted = 130, "interrupted", "give the same command again; it looks before it acts";
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The table as the documentation shows it.
pub fn markdown() -> String {
    let mut text = String::from(
        "# Exit codes\n\nOne table for every command. It is written from `src/cli/exit.rs`; a test keeps the two the same.\n\n\
         | Code | Name | Meaning | What next |\n| ---: | --- | --- | --- |\n",
    );
    for exit in Exit::ALL {
        let meaning = exit.meaning().trim();
        text.push_str(&format_row(*exit, meaning));
    }
    text
}

fn format_row(exit: Exit, meaning: &str) -> String {
    format!("| {} | {} | {} | {} |\n", exit.code(), exit.title(), meaning, exit.next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_endings_share_a_code() {
        let mut codes: Vec<u8> = Exit::ALL.iter().map(|exit| exit.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Exit::ALL.len());
    }
}
