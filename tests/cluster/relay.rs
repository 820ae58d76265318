//! A way to the API server that can be cut, and on which answers can be made to wait: what is on it then arrives late or nowhere,
//! and nobody is told.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The way of one process to a port of this machine.
pub struct Relay {
    port: u16,
    way: Arc<Way>,
}

#[derive(Default)]
struct Way {
    is_cut: AtomicBool,
    answers_are_held: AtomicBool,
    /// In milliseconds.
    answers_late: AtomicU64,
}

impl Relay {
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let relay = Self { port: listener.local_addr().unwrap().port(), way: Arc::default() };
        let way = Arc::clone(&relay.way);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                for (from, to, is_answer) in [(&client, &server, false), (&server, &client, true)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let way = Arc::clone(&way);
                    std::thread::spawn(move || pass_on(from, to, &way, is_answer));
                }
            }
        });
        relay
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on what comes is kept back.
    pub fn cut(&self) {
        self.way.is_cut.store(true, Ordering::SeqCst);
    }

    /// What was kept back goes on.
    pub fn heal(&self) {
        self.way.is_cut.store(false, Ordering::SeqCst);
    }

    /// From now on each answer is on its way for so long.
    pub fn delay_answers(&self, by: Duration) {
        self.way.answers_late.store(u64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// From now on answers are kept back, those that are on their way, too; what is asked arrives.
    pub fn hold_answers(&self) {
        self.way.answers_are_held.store(true, Ordering::SeqCst);
    }

    /// Answers that were kept back go on, and come at once from now on.
    pub fn release_answers(&self) {
        self.delay_answers(Duration::ZERO);
        self.way.answers_are_held.store(false, Ordering::SeqCst);
    }
}

impl Way {
    fn is_open(&self, is_answer: bool, since: Instant) -> bool {
        let late = Duration::from_millis(self.answers_late.load(Ordering::SeqCst));
        let waits = is_answer && (self.answers_are_held.load(Ordering::SeqCst) || since.elapsed() < late);
        !waits && !self.is_cut.load(Ordering::SeqCst)
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, way: &Way, is_answer: bool) {
    let mut part = [0; 16 << 10];
    while let Ok(read) = from.read(&mut part) {
        let since = Instant::now();
        while !way.is_open(is_answer, since) {
            std::thread::sleep(Duration::from_millis(5));
        }
        if read == 0 || to.write_all(&part[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}
