//! A way to the API server that can be cut, and on which answers can be made to wait: what is on it then arrives late or nowhere,
//! and nobody is told. Where what is asked can be read, as behind a proxy that speaks without TLS, the answer to one question alone can
//! be kept back.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
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
    /// Questions whose answers are kept back: words that are all in it.
    held: Mutex<Vec<&'static str>>,
}

/// What was asked on a connection last, as far as its first bytes tell.
#[derive(Default)]
struct Asked(Mutex<String>);

impl Relay {
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let relay = Self { port: listener.local_addr().unwrap().port(), way: Arc::default() };
        let way = Arc::clone(&relay.way);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                let asked = Arc::<Asked>::default();
                for (from, to, is_answer) in [(&client, &server, false), (&server, &client, true)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let (way, asked) = (Arc::clone(&way), Arc::clone(&asked));
                    std::thread::spawn(move || pass_on(from, to, &way, &asked, is_answer));
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

    /// From now on the answers to what has all of these words in its first line are kept back, those that are under way, too.
    pub fn hold_answers_to(&self, words: &[&'static str]) {
        *self.way.held.lock().unwrap() = words.to_vec();
    }

    /// Answers that were kept back go on, and come at once from now on.
    pub fn release_answers(&self) {
        self.delay_answers(Duration::ZERO);
        self.way.held.lock().unwrap().clear();
        self.way.answers_are_held.store(false, Ordering::SeqCst);
    }
}

impl Way {
    fn is_open(&self, answers: Option<&Asked>, since: Instant) -> bool {
        let late = Duration::from_millis(self.answers_late.load(Ordering::SeqCst));
        let is_late = || self.answers_are_held.load(Ordering::SeqCst) || since.elapsed() < late;
        let waits = answers.is_some_and(|asked| is_late() || self.holds(asked));
        !waits && !self.is_cut.load(Ordering::SeqCst)
    }

    fn holds(&self, asked: &Asked) -> bool {
        let (held, asked) = (self.held.lock().unwrap(), asked.0.lock().unwrap());
        !held.is_empty() && held.iter().all(|word| asked.contains(word))
    }
}

/// Passes on what is asked on a connection, or the answers to that.
fn pass_on(mut from: TcpStream, mut to: TcpStream, way: &Way, asked: &Asked, is_answer: bool) {
    let answers = is_answer.then_some(asked);
    let mut part = [0; 16 << 10];
    while let Ok(read) = from.read(&mut part) {
        if !is_answer {
            let text = String::from_utf8_lossy(&part[..read]);
            let line = text.lines().next().unwrap_or_default();
            if line.contains(" HTTP/1") {
                line.clone_into(&mut asked.0.lock().unwrap());
            }
        }
        let since = Instant::now();
        while !way.is_open(answers, since) {
            std::thread::sleep(Duration::from_millis(5));
        }
        if read == 0 || to.write_all(&part[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}
