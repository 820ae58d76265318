//! Work that may never end, or eat all memory, done where it can be stopped: in a child process with bounds.
//!
//! Goes in: a program, its arguments, what it reads, its bounds. Comes out: what it wrote, or which bound it broke.
//!
//! **Invariant:** the child is gone when the answer is there, whatever it did.

use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How often it is looked whether a child that has said all is gone.
const TICK: Duration = Duration::from_millis(2);
/// What is kept of what a child says on standard error: it names why it was aborted.
const TALK_BYTES_MAX: u64 = 4096;

/// What a child may use.
#[derive(Clone, Copy, Debug)]
pub struct ChildLimits {
    /// How long it may run.
    pub time: Duration,
    /// How much it may write.
    pub output_bytes: usize,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChildExit {
    /// It wrote this and was content.
    Answer(Vec<u8>),
    /// It ran for too long.
    TooLong,
    /// It wrote too much.
    TooMuchOutput,
    /// It wanted more memory than it may have.
    TooMuchMemory,
    /// It called itself too deeply.
    TooDeep,
    /// It ended in another way.
    Otherwise(String),
}

/// Limits this process, which is about to do what may not end: memory as given, one processor's time as given, no image
/// of the memory on disk. Where the system knows no such limits, those of the parent remain.
pub fn limit_self(memory_bytes: u64, time: Duration) {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let limit = |resource, amount: u64| {
            // A system that refuses leaves the bound of time, which the parent keeps.
            let _ = setrlimit(resource, Rlimit { current: Some(amount), maximum: Some(amount) });
        };
        limit(Resource::Core, 0);
        limit(Resource::Cpu, time.as_secs().max(1));
        // What is written to counts, not what is reserved: an allocator reserves much and uses little.
        limit(Resource::Data, memory_bytes);
        limit(Resource::As, memory_bytes.saturating_mul(8));
    }
    #[cfg(not(unix))]
    let _ = (memory_bytes, time);
}

/// Runs a program to its end, or to the first bound that it breaks.
#[expect(clippy::disallowed_methods, reason = "how long a child may run is this machine's time alone")]
pub fn run(program: &Path, arguments: &[&str], input: Vec<u8>, bounds: ChildLimits) -> io::Result<ChildExit> {
    let until = Instant::now() + bounds.time;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // What the child can read of the environment it cannot tell anybody.
    #[cfg(unix)]
    command.env_clear();
    // Our allocator takes a gibibyte at once, which the system counts, and is refused small pieces from then on; so it
    // takes what it needs only.
    command.env("MIMALLOC_ARENA_EAGER_COMMIT", "0");
    let mut child = Reaped(command.spawn()?);
    if let Some(mut to) = child.0.stdin.take() {
        // A child that ends early does not read to the end.
        std::thread::spawn(move || drop(to.write_all(&input)));
    }
    let said = collect(child.0.stdout.take(), bounds.output_bytes as u64 + 1);
    let talk = collect(child.0.stderr.take(), TALK_BYTES_MAX);
    let Ok(said) = said.recv_timeout(bounds.time) else { return Ok(ChildExit::TooLong) };
    if said.len() > bounds.output_bytes {
        return Ok(ChildExit::TooMuchOutput);
    }
    let status = loop {
        match child.0.try_wait()? {
            Some(status) => break status,
            None if Instant::now() >= until => return Ok(ChildExit::TooLong),
            None => std::thread::sleep(TICK),
        }
    };
    if status.success() {
        return Ok(ChildExit::Answer(said));
    }
    // It is gone, and with it the other end of the pipe.
    let talk = talk.recv_timeout(bounds.time).unwrap_or_default();
    let talk = String::from_utf8_lossy(&talk);
    Ok(if talk.contains("memory allocation") {
        ChildExit::TooMuchMemory
    } else if talk.contains("overflowed its stack") {
        ChildExit::TooDeep
    } else {
        let last = talk.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("it said nothing");
        ChildExit::Otherwise(format!("{status}: {last}"))
    })
}

/// Reads to the end or to the bound; beyond it the pipe is closed.
fn collect(from: Option<impl Read + Send + 'static>, bytes_max: u64) -> mpsc::Receiver<Vec<u8>> {
    let (send, receive) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(from) = from {
            // What was read before an error is all there is.
            let _ = from.take(bytes_max).read_to_end(&mut bytes);
        }
        // Nobody listens any more when it took too long.
        let _ = send.send(bytes);
    });
    receive
}

/// A child that does not outlive its use.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, and needs not to be.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    fn shell(script: &str, time: Duration) -> ChildExit {
        let bounds = ChildLimits { time, output_bytes: 10 };
        run(Path::new("/bin/sh"), &["-c", script], b"word".to_vec(), bounds).unwrap()
    }

    #[cfg(unix)]
    #[test]
    fn a_child_is_answered_for_or_stopped() {
        let time = Duration::from_secs(20);
        assert_eq!(shell("cat", time), ChildExit::Answer(b"word".to_vec()));
        assert_eq!(shell("while :; do echo word; done", time), ChildExit::TooMuchOutput);
        assert_eq!(shell("while :; do :; done", Duration::from_millis(30)), ChildExit::TooLong);
        assert_eq!(shell("exec >&-; while :; do :; done", Duration::from_millis(30)), ChildExit::TooLong);
        assert_eq!(
            shell("echo 'memory allocation of 9 bytes failed' >&2; exit 1", time),
            ChildExit::TooMuchMemory
        );
        assert_eq!(
            shell("echo 'thread has overflowed its stack' >&2; kill -ABRT $$", time),
            ChildExit::TooDeep
        );
        let other = shell("echo why >&2; exit 3", time);
        assert!(matches!(&other, ChildExit::Otherwise(why) if why.contains("why")), "{other:?}");
    }
}
