//! An agent as a process: started in a folder, heard line by line, asked for its numbers.

#![expect(clippy::disallowed_methods, reason = "real processes live in real time")]

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::cli::Place;

/// Longer than anything here takes.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// A blueprint of one small store.
pub fn blueprint(name: &str, class: &str) -> String {
    format!(
        "apiVersion: rgctl.dev/v1alpha1
kind: Blueprint
metadata: {{ name: {name} }}
spec:
  demand:
    players: {{ peakConcurrent: 2k, growthPerMonth: 1% }}
    requestsPerPlayerPerMinute: 12
    readShare: 85%
    hotData: {{ size: 40GiB, retention: 90d }}
  objectives: {{ availability: 99%, p99: 100ms, rto: 8h, rpo: 24h }}
  regions: {{ primary: us-east-1 }}
  residency: {{ allow: [us-*] }}
  stores:
    - name: ranking
      engine: valkey
      purpose: rankings
      demand: {{ requestShare: 60%, readShare: 95%, dataSize: 1GiB, workingSet: 1GiB }}
      class: {class}
      shards: 1
      replicasPerShard: {{ min: 1, max: 2 }}
      cache: {{ pattern: cache-aside, ttl: 30m, hitRatio: 85%, eviction: volatile-lru }}
      backup: {{ retention: 1d }}
"
    )
}

pub const SMALL: &str = "cache.t4g.medium";
pub const LARGE: &str = "cache.r7g.large";

/// An agent that runs, with what it has said.
pub struct Running {
    pub child: Child,
    log: Arc<Mutex<String>>,
    seen: usize,
}

impl Running {
    pub fn start(place: &Place, more: &[&str]) -> Self {
        let mut line = vec!["agent", "run", "-f", "blueprints", "--log-format", "json"];
        if !more.contains(&"--pace") {
            line.extend(["--pace", "3600"]);
        }
        line.extend(more);
        Self::spawn(Command::new(assert_cmd::cargo::cargo_bin!("rgctl")).args(line), place.path())
    }

    pub fn spawn(command: &mut Command, folder: &Path) -> Self {
        let command = command.current_dir(folder).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log: Arc<Mutex<String>> = Arc::default();
        let (to, from) = (Arc::clone(&log), BufReader::new(child.stderr.take().unwrap()));
        std::thread::spawn(move || {
            for line in from.lines().map_while(Result::ok) {
                let _ = writeln!(to.lock().unwrap(), "{line}");
            }
        });
        Self { child, log, seen: 0 }
    }

    /// Waits until a line is said that has all of these words, after those that were waited for before; yields it.
    pub fn says(&mut self, words: &[&str]) -> String {
        let began = Instant::now();
        loop {
            let log = self.log.lock().unwrap().clone();
            for (end, line) in
                log.match_indices('\n').map(|(end, _)| end).filter(|end| *end >= self.seen).map(|end| {
                    let start = log[..end].rfind('\n').map_or(0, |before| before + 1);
                    (end + 1, &log[start..end])
                })
            {
                if words.iter().all(|word| line.contains(word)) {
                    self.seen = end;
                    return line.to_owned();
                }
            }
            assert!(began.elapsed() < PATIENCE, "{words:?} was never said after\n{}", &log[self.seen..]);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until a line was said for each of these, in whatever order.
    pub fn says_each(&mut self, all: &[&[&str]]) {
        let from = self.seen;
        let ends = all.iter().map(|words| {
            self.seen = from;
            self.says(words);
            self.seen
        });
        self.seen = ends.max().unwrap();
    }

    /// The same as [`Self::says`], while hands move the world's time on.
    pub fn says_while_time_flies(&mut self, place: &Place, words: &[&str]) {
        let began = Instant::now();
        while !self.log.lock().unwrap()[self.seen..]
            .lines()
            .any(|line| words.iter().all(|word| line.contains(word)))
        {
            assert!(began.elapsed() < PATIENCE, "{words:?} was never said");
            assert_eq!(place.run(&["sim", "advance", "10m"]).code, 0);
        }
        self.says(words);
    }

    /// Waits until it has asked for orders twice more, which it does once a second; yields how many lines it said between the two,
    /// and which share of that time it took of a processor.
    pub fn lives_on(&mut self, orders: impl Fn()) -> (usize, f64) {
        orders();
        self.says(&["\"ordered\"", "Reconcile"]);
        let (lines, used, began) = (self.lines(""), self.processor_seconds(), Instant::now());
        orders();
        self.says(&["\"ordered\"", "Reconcile"]);
        let share = (self.processor_seconds() - used) / began.elapsed().as_secs_f64();
        (self.lines("") - lines, share)
    }

    fn processor_seconds(&self) -> f64 {
        let ticks = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let hundredths: u64 =
            ticks.split(' ').skip(13).take(2).map(|word| word.parse::<u64>().unwrap()).sum();
        hundredths as f64 / 100.0
    }

    /// Where it listens, once it says so.
    pub fn address(&mut self) -> String {
        address_in(&self.says(&["listening"])).unwrap()
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Stops it where it writes nothing: who is stopped within a transaction keeps the file locked, on a slow disk for sure.
    pub fn stop_between_transactions(&self, state: &Path) {
        let began = Instant::now();
        loop {
            self.signal("STOP");
            let file = rusqlite::Connection::open(state.join("journal.sqlite")).unwrap();
            file.busy_timeout(Duration::ZERO).unwrap();
            if file.execute_batch("BEGIN IMMEDIATE; ROLLBACK").is_ok() {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "it writes all the time");
            self.signal("CONT");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// How it ended, with what it wrote as data.
    pub fn ends(mut self) -> (i32, String) {
        let mut data = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut data).unwrap();
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        (code, data)
    }

    pub fn stop_it(self) -> (i32, String) {
        self.signal("TERM");
        self.ends()
    }

    pub fn lines(&self, word: &str) -> usize {
        self.log.lock().unwrap().lines().filter(|line| line.contains(word)).count()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            println!("{}", self.log.lock().unwrap());
        }
    }
}

pub fn place(blueprints: &[(&str, &str)]) -> Place {
    let place = Place::new();
    std::fs::create_dir(place.path().join("blueprints")).unwrap();
    for (name, class) in blueprints {
        place.write(&format!("blueprints/{name}.yaml"), &blueprint(name, class));
    }
    place
}

pub fn status_of(place: &Place, name: &str) -> String {
    place.run(&["status", "-f", &format!("blueprints/{name}.yaml")]).data
}

pub fn address_in(said: &str) -> Option<String> {
    Some(said.split("\"address\":\"").nth(1)?.split('"').next()?.to_owned())
}

/// Waits until an answer has all of these lines; numbers are told twice a second.
pub fn gets(address: &str, path: &str, lines: &[&str]) {
    let began = Instant::now();
    loop {
        let answer = get(address, path);
        if lines.iter().all(|line| answer.contains(line)) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{path} never told {lines:?}: {answer}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub fn get(address: &str, path: &str) -> String {
    use std::io::Write as _;
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Lets no file of a process grow any more, as on a full disk; or lets them.
#[cfg(target_os = "linux")]
pub fn has_room(process: u32, has: bool) {
    let size = if has { "--fsize=unlimited:unlimited" } else { "--fsize=1:unlimited" };
    let done = Command::new("prlimit").args(["--pid", &process.to_string(), size]).status().unwrap();
    assert!(done.success());
}
