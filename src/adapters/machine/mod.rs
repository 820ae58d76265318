//! This machine: its clock, who works on it, names for runs.
//!
//! Goes in: nothing but the environment. Comes out: moments and names.
//!
//! **Invariant:** the one place that reads the system's clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::FutureExt;
use futures::future::BoxFuture;
use sha2::{Digest, Sha256};

use crate::seams::Clock;
use crate::vocabulary::digest::hex;
use crate::vocabulary::names::RunId;
use crate::vocabulary::time::Moment;

/// Time of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock adapter")]
    fn now(&self) -> Moment {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Moment::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn sleep_until(&self, at: Moment) -> BoxFuture<'_, ()> {
        let wait = at.since(self.now());
        tokio::time::sleep(Duration::from_millis(wait.as_millis())).boxed()
    }
}

/// Who works here: user, host and process, for leases and the record.
pub fn owner() -> String {
    let user = ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| std::env::var(name).ok());
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .or_else(|| std::env::var("HOSTNAME").ok())
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty());
    format!(
        "{}@{} (process {})",
        user.unwrap_or_else(|| "somebody".to_owned()),
        host.unwrap_or_else(|| "somewhere".to_owned()),
        std::process::id()
    )
}

/// A name for a run: when it began, and letters that keep two runs of one second apart.
pub fn new_run(owner: &str, now: Moment) -> RunId {
    let mut digest = Sha256::new();
    digest.update(owner.as_bytes());
    digest.update(now.as_millis().to_be_bytes());
    let letters: String = hex(&digest.finalize()).chars().take(6).collect();
    let stamp: String = now.rfc3339().chars().filter(char::is_ascii_alphanumeric).collect();
    RunId(format!("{}-{letters}", stamp.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_runs_of_one_owner_have_two_names() {
        let now = SystemClock.now();
        let later = Moment::from_millis(now.as_millis() + 1);
        assert_ne!(new_run("a@b", now), new_run("a@b", later));
        assert_eq!(new_run("a@b", Moment::EPOCH).0.split('-').next(), Some("19700101t000000z"));
    }
}
