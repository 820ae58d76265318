//! The listener of an agent: `/healthz`, `/readyz` and `/metrics`, to be read.
//!
//! Goes in: requests. Comes out: texts.
//!
//! **Invariant:** nothing here changes anything: only `GET` and `HEAD` are answered, bodies are not read.
//! **Invariant:** bounded: connections at a time, the size of a request, the time of one.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::health::{Health, Verdict};
use super::metrics::Metrics;
use rgctl_model::ports::Clock;

/// Connections at a time: a few collectors and probes. One more is closed at once.
const CONNECTIONS_MAX: usize = 16;
/// The head of a request; that of a collector has some hundred bytes.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// How long a head may take to come.
const HEAD_TIME_MAX: Duration = Duration::from_secs(5);
/// How long a connection may last, whatever is done on it.
const CONNECTION_TIME_MAX: Duration = Duration::from_mins(1);
/// How long is waited when no connection can be taken, as when there are too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// What is told.
#[derive(Clone)]
pub struct Told {
    /// Whether the agent lives.
    pub health: Arc<Health>,
    /// Its numbers.
    pub metrics: Arc<Metrics>,
    /// The machine's clock.
    pub clock: Arc<dyn Clock>,
}

/// Takes an address, before anything else is begun: one that is taken already is said at once.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Answers until it is dropped.
pub async fn serve(listener: TcpListener, told: Told) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let told = told.clone();
        tokio::spawn(async move {
            // A peer that goes away, or is too slow, is no matter of ours.
            let _ = tokio::time::timeout(CONNECTION_TIME_MAX, converse(stream, told)).await;
            drop(place);
        });
    }
}

async fn converse(stream: TcpStream, told: Told) -> hyper::Result<()> {
    let service = service_fn(move |request: Request<Incoming>| {
        let response = answer(request.method(), request.uri().path(), &told);
        async move { Ok::<_, Infallible>(response) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

/// What is said to a request.
fn answer(method: &Method, path: &str, told: &Told) -> Response<String> {
    if method != Method::GET && method != Method::HEAD {
        return text(
            StatusCode::METHOD_NOT_ALLOWED,
            "only GET and HEAD: nothing can be changed here\n".to_owned(),
        );
    }
    match path {
        "/healthz" => verdict(&told.health.lives(&*told.clock)),
        "/readyz" => verdict(&told.health.ready(&*told.clock)),
        "/metrics" => text(StatusCode::OK, told.metrics.text()),
        _ => text(StatusCode::NOT_FOUND, "there is /healthz, /readyz and /metrics\n".to_owned()),
    }
}

fn verdict(verdict: &Verdict) -> Response<String> {
    if verdict.is_well() {
        return text(StatusCode::OK, "ok\n".to_owned());
    }
    let reasons = verdict.reasons.iter().map(|reason| format!("{reason}\n"));
    text(StatusCode::SERVICE_UNAVAILABLE, reasons.collect())
}

fn text(status: StatusCode, text: String) -> Response<String> {
    let mut response = Response::new(text);
    *response.status_mut() = status;
    let sort = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, sort);
    response
}
