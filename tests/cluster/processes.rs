//! Child processes that do not outlive this one, however it ends, and waits with a bound.

use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

/// Longer than anything here takes, on a machine that has much else to do.
pub const PATIENCE: Duration = Duration::from_mins(2);

type Order = (Command, Sender<std::io::Result<Child>>);

/// Starts a child that dies with this process.
///
/// The kernel ends it when the *thread* that started it ends, and threads of tests end with their tests: so one thread
/// starts all, and lives as long as the process.
pub fn spawn(command: Command) -> std::io::Result<Child> {
    static KEEPER: OnceLock<Sender<Order>> = OnceLock::new();
    let keeper = KEEPER.get_or_init(|| {
        let (orders, todo) = channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in todo {
                let _ = answer.send(command.spawn());
            }
        });
        orders
    });
    let (answer, came) = channel();
    keeper.send((command, answer)).expect("the thread that starts processes lives");
    came.recv().expect("it answers")
}

/// A command whose process dies with the one that starts it.
pub fn bound_command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// Sends a signal by its name to a child that is ours.
pub fn signal(child: &Child, name: &str) {
    let done = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
    assert!(done.success(), "{name}");
}

/// Asks a child to end, and ends it when it does not within some seconds.
pub fn end(child: &mut Child, within: Duration) {
    if child.try_wait().unwrap().is_none() {
        signal(child, "TERM");
        let by = Instant::now() + within;
        while child.try_wait().unwrap().is_none() {
            if Instant::now() > by {
                child.kill().unwrap();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Waits until something is so, for [`PATIENCE`] at most.
pub fn wait_until(what: &str, is_so: impl FnMut() -> bool) {
    wait_within(PATIENCE, what, is_so);
}

/// Waits until something is so, with a bound of one's own.
pub fn wait_within(within: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    let by = Instant::now() + within;
    while !is_so() {
        assert!(Instant::now() < by, "{what} did not come within {within:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Runs a future to its end, from a test with or without a runtime of its own.
pub fn block_on<T: Send>(future: impl Future<Output = T> + Send) -> T {
    let run = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future);
    std::thread::scope(|scope| match scope.spawn(run).join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

/// Says a number that was measured, past the capture of the tests: it is read, and not judged alone.
pub fn tell(what: &str) {
    use std::io::Write as _;
    let _ = std::io::stderr().write_all(format!("cluster: {what}\n").as_bytes());
}
