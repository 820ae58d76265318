//! The listener of an agent, over real sockets on loopback.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rgctl::agent::health::Health;
use rgctl::agent::metrics::{Metric, Metrics};
use rgctl::agent::serve::{Told, bind, serve};
use rgctl_machine::SystemClock;

/// What is answered to these bytes, up to the end of the connection.
fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let _ = stream.write_all(request.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn get(address: SocketAddr, path: &str) -> String {
    ask(address, &format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"))
}

/// A listener on a free port, for as long as the test runs.
fn with_listener(test: impl FnOnce(SocketAddr, &Told)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let told = Told {
        health: Arc::new(Health::new(&SystemClock)),
        metrics: Arc::new(Metrics::new("0")),
        clock: Arc::new(SystemClock),
    };
    let listener = runtime.block_on(bind("127.0.0.1:0".parse().unwrap())).unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(serve(listener, told.clone()));
    test(address, &told);
    runtime.shutdown_background();
}

#[test]
fn health_readiness_and_numbers_are_told_with_reasons() {
    with_listener(|address, told| {
        let lives = get(address, "/healthz");
        assert!(lives.starts_with("HTTP/1.1 200 OK") && lives.ends_with("\r\n\r\nok\n"), "{lives}");
        let ready = get(address, "/readyz");
        assert!(ready.starts_with("HTTP/1.1 503"), "{ready}");
        assert!(ready.contains("the blueprints have not been read yet"), "{ready}");
        told.health.source(&SystemClock, Ok(()));
        told.health.cloud(Ok(()));
        assert!(get(address, "/readyz").starts_with("HTTP/1.1 200 OK"));
        told.metrics.add(Metric::Throttled, &[], 3);
        let numbers = get(address, "/metrics");
        assert!(
            numbers.contains("text/plain; version=0.0.4") && numbers.contains("\nrgctl_throttled_total 3\n"),
            "{numbers}"
        );
    });
}

#[test]
fn nothing_can_be_changed_and_nothing_else_is_there() {
    with_listener(|address, _| {
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
            for path in ["/healthz", "/metrics", "/pause", "/"] {
                let request = format!(
                    "{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\nconnection: close\r\n\r\npause"
                );
                let answer = ask(address, &request);
                assert!(answer.starts_with("HTTP/1.1 405"), "{method} {path}: {answer}");
            }
        }
        assert!(get(address, "/debug").starts_with("HTTP/1.1 404"));
    });
}

#[test]
fn what_is_too_large_or_no_request_is_refused_and_others_are_served_beside_idle_connections() {
    with_listener(|address, _| {
        let large = format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx-large: {}\r\n\r\n", "a".repeat(64 << 10));
        let answer = ask(address, &large);
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 431") || answer.starts_with("HTTP/1.1 400"),
            "{answer}"
        );
        let answer = ask(address, "\u{1}\u{2}\u{3}\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        let idle: Vec<TcpStream> = (0..10).map(|_| TcpStream::connect(address).unwrap()).collect();
        assert!(get(address, "/healthz").starts_with("HTTP/1.1 200"));
        drop(idle);
    });
}

#[test]
fn there_is_an_end_to_connections() {
    with_listener(|address, _| {
        let idle: Vec<TcpStream> = (0..40).map(|_| TcpStream::connect(address).unwrap()).collect();
        // Those beyond the bound are closed; the others wait for a request until their time is over.
        let closed = || {
            let is_closed = |stream: &&TcpStream| {
                stream.set_nonblocking(true).unwrap();
                let mut stream: &TcpStream = stream;
                matches!(stream.read(&mut [0; 1]), Ok(0))
            };
            idle.iter().filter(is_closed).count()
        };
        let mut count = 0;
        for _ in 0..200 {
            count = closed();
            if count >= 24 {
                break;
            }
            // Sockets live in real time: the listener has to get round to them.
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(count, 24);
        drop(idle);
        let mut answer = String::new();
        for _ in 0..200 {
            answer = get(address, "/healthz");
            if answer.starts_with("HTTP/1.1 200") {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(answer.starts_with("HTTP/1.1 200"), "places come free again: {answer}");
    });
}
