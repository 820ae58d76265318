//! What went wrong, as a person sees it: the chain of causes, hints, an exit code. Here are the errors of the crates below;
//! a command's own error becomes one beside the command.

use std::error::Error;
use std::fmt::Write as _;
use std::io;

use super::exit::Exit;
use crate::report::style::{Style, Tone};
use rgctl_engine::execution::drive::DriveError;
use rgctl_machine::inputs::InputError;
use rgctl_machine::outputs::OutputError;
use rgctl_model::ports::{CloudError, StoreError};
use rgctl_sim::SimError;

/// A command that did not succeed.
#[derive(Debug)]
pub struct Failure {
    /// How the command ends.
    pub exit: Exit,
    /// What is wrong; empty when it has been said already.
    pub message: String,
    /// Why, from near to far.
    pub causes: Vec<String>,
    /// What to do.
    pub hints: Vec<String>,
}

impl Failure {
    /// A failure in words.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), causes: Vec::new(), hints: Vec::new() }
    }

    /// Everything that is to be said has been said.
    pub const fn said(exit: Exit) -> Self {
        Self { exit, message: String::new(), causes: Vec::new(), hints: Vec::new() }
    }

    /// An error with its causes.
    pub fn of(exit: Exit, error: &(dyn Error + 'static)) -> Self {
        let mut failure = Self::new(exit, error.to_string());
        let mut cause = error.source();
        while let Some(error) = cause {
            failure.causes.push(error.to_string());
            cause = error.source();
        }
        failure
    }

    /// With something to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// As it is shown.
    pub fn text(&self, style: Style) -> String {
        if self.message.is_empty() {
            return String::new();
        }
        let mut text = format!("{} {}", style.paint(Tone::Bad, "error:"), self.message);
        for cause in &self.causes {
            let _ = write!(text, "\n  caused by: {cause}");
        }
        for hint in &self.hints {
            let _ = write!(text, "\n  {} {hint}", style.paint(Tone::Strong, "hint:"));
        }
        text
    }
}

impl From<io::Error> for Failure {
    /// Input and output of the command itself. A reader that went away ends it quietly.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::said(Exit::Done);
        }
        Self::of(Exit::Error, &error)
    }
}

impl From<InputError> for Failure {
    fn from(error: InputError) -> Self {
        let hint = error.remedy();
        Self::of(Exit::BadInput, &error).hint(hint)
    }
}

impl From<OutputError> for Failure {
    fn from(error: OutputError) -> Self {
        match error {
            OutputError::NotOurs { .. } => {
                Self::of(Exit::BadInput, &error).hint("name another file, or move this one away")
            }
            OutputError::Unwritable { .. } => Self::of(Exit::Error, &error)
                .hint("check that the folder exists, its permissions, and the space on its disk"),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Held { .. } => Self::of(Exit::Held, &error)
                .hint("one run at a time works on a blueprint: wait for it, or ask it to yield with `--preempt`"),
            StoreError::Fenced { .. } => {
                Self::of(Exit::Held, &error).hint("look at `rgctl history` before you apply again")
            }
            StoreError::Moved { to, .. } => {
                let hint = format!("give the command again with `--store {to}` (or `--state-dir`, where that is a folder)");
                Self::of(Exit::Blocked, &error).hint(hint)
            }
            StoreError::Taken { .. } => Self::of(Exit::Blocked, &error)
                .hint("look at it with `rgctl history`; two records of one blueprint in one account cannot be joined"),
            StoreError::Decided { .. } => Self::of(Exit::StalePlan, &error)
                .hint("look at what was decided with `rgctl history`, then give the command again"),
            StoreError::TooLarge { .. } => Self::of(Exit::BadInput, &error).hint("shorten the reason, or withdraw decisions that are over: `rgctl history` lists them"),
            StoreError::Damaged { .. } => Self::of(Exit::Error, &error)
                .hint("nothing was done; restore the record from a backup, or find out who changed it"),
            StoreError::Unavailable { what } if what.contains("s3://") => Self::of(Exit::Error, &error).hint(
                "check the bucket's name, its region (AWS_REGION) and the permissions that `rgctl iam-policy` names",
            ),
            StoreError::Unavailable { what } if what.contains("kube://") => Self::of(Exit::Error, &error).hint(
                "check that the cluster answers and lets you: `kubectl --context CONTEXT -n NAMESPACE get configmaps`",
            ),
            StoreError::Unavailable { .. } => Self::of(Exit::Error, &error)
                .hint("check the state folder: its permissions, the space on its disk, whether its files are whole"),
        }
    }
}

impl From<CloudError> for Failure {
    fn from(error: CloudError) -> Self {
        // What could not be seen is neither there nor missing: a person is needed, as where a part could not be seen.
        let exit = match &error {
            CloudError::Unreachable { .. } | CloudError::Unclear { .. } | CloudError::Throttled { .. } => {
                Exit::Blocked
            }
            _ => Exit::Error,
        };
        let failure = Self::of(exit, &error);
        match error.next_step() {
            Some(step) => failure.hint(step),
            None => failure,
        }
    }
}

impl From<DriveError> for Failure {
    fn from(error: DriveError) -> Self {
        match error {
            DriveError::Store(error) => error.into(),
            DriveError::Cloud(error) => error.into(),
            DriveError::Illegal(_) => Self::of(Exit::Error, &error)
                .hint("please report it, with what `rgctl history` shows")
                .hint("give the same command again: it looks before it acts"),
        }
    }
}

impl From<SimError> for Failure {
    fn from(error: SimError) -> Self {
        let failure = Self::of(Exit::Error, &error);
        if error.is_damage() {
            return failure.hint("`rgctl sim reset` begins a new world; the old one is lost");
        }
        failure.hint("check the state folder: its permissions, and the space on its disk")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_chain_is_printed_and_a_closed_pipe_is_quiet() {
        let missing = std::fs::read_to_string("no/such/file").unwrap_err();
        let error = InputError::Unreadable { path: "no/such/file".into(), source: missing };
        let text = Failure::from(error).text(Style::PLAIN);
        assert!(text.starts_with("error: cannot read no/such/file\n  caused by: No such file"), "{text}");
        assert!(text.contains("hint: check the path"), "{text}");
        let pipe = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!((pipe.exit, pipe.text(Style::PLAIN)), (Exit::Done, String::new()));
    }
}
