//! This machine: its clock, who works on it, names for runs; files read and written with bounds, child processes with bounds.
//!
//! Goes in: paths, programs, the environment. Comes out: moments, names, bytes and texts.
//!
//! **Invariant:** the one place that reads the system's clock, and the one door for bytes from outside (`inputs.rs`).

pub mod child;
pub mod inputs;
pub mod outputs;

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::FutureExt;
use futures::future::BoxFuture;
use sha2::{Digest, Sha256};

use rgctl_model::ports::Clock;
use rgctl_schema::digest::hex;
use rgctl_schema::names::RunId;
use rgctl_schema::time::{Moment, Span};

/// The clock that nobody sets and that a machine's sleep does not stop.
#[cfg(any(target_os = "linux", target_os = "android"))]
const STEADY: rustix::time::ClockId = rustix::time::ClockId::Boottime;
/// Apple's runs on during sleep; where another does not, the time of day next to it does.
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
const STEADY: rustix::time::ClockId = rustix::time::ClockId::Monotonic;

/// A name of a host has at most 253 letters.
const HOST_NAME_BYTES_MAX: u64 = 1024;

/// Time of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock adapter")]
    fn now(&self) -> Moment {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Moment::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    #[cfg(unix)]
    fn since_boot(&self) -> Span {
        let shown = rustix::time::clock_gettime(STEADY);
        let whole = u64::try_from(shown.tv_sec).unwrap_or(0).saturating_mul(1_000);
        Span::from_millis(whole.saturating_add(u64::try_from(shown.tv_nsec).unwrap_or(0) / 1_000_000))
    }

    fn sleep_until(&self, at: Moment) -> BoxFuture<'_, ()> {
        let wait = at.since(self.now());
        tokio::time::sleep(Duration::from_millis(wait.as_millis())).boxed()
    }
}

/// Who works here: user, host and process, for leases and the record.
pub fn owner() -> String {
    format!("{} (process {})", user_and_host(), std::process::id())
}

/// Who works here, for decisions, which outlive the process.
pub fn user_and_host() -> String {
    let user = ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| std::env::var(name).ok());
    let host = inputs::read_text(Path::new("/proc/sys/kernel/hostname"), HOST_NAME_BYTES_MAX)
        .ok()
        .or_else(|| std::env::var("HOSTNAME").ok())
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty());
    format!(
        "{}@{}",
        user.unwrap_or_else(|| "somebody".to_owned()),
        host.unwrap_or_else(|| "somewhere".to_owned()),
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

    #[cfg(target_os = "linux")]
    #[test]
    fn the_clock_that_nobody_sets_is_the_kernels_time_since_boot() {
        let told = std::fs::read_to_string("/proc/uptime").unwrap();
        let told: f64 = told.split(' ').next().unwrap().parse().unwrap();
        let ours = SystemClock.since_boot().as_secs_f64();
        assert!((ours - told).abs() < 5.0, "{ours} {told}");
    }

    #[test]
    fn two_runs_of_one_owner_have_two_names() {
        let now = SystemClock.now();
        let later = Moment::from_millis(now.as_millis() + 1);
        assert_ne!(new_run("a@b", now), new_run("a@b", later));
        assert_eq!(new_run("a@b", Moment::EPOCH).0.split('-').next(), Some("19700101t000000z"));
    }
}
