//! Signs of life of watches, and a count of calls: what goes over the way to the API server, noted as it passes.
//!
//! Goes in: requests and what comes of them. Comes out: when each watch was heard of last, and how many calls were made.
//!
//! A watch that is whole says nothing for a minute at most: the server sends a bookmark, and begins it anew every five minutes. The
//! library keeps both to itself, so that they are noted here, below it: a watch whose bytes arrive nowhere gives no other sign.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use kube::client::Body;
use tower::{Layer, Service};

use crate::item::Watched;
use crate::kinds::GROUP;
use rgctl_machine::SystemClock;
use rgctl_model::ports::Clock;
use rgctl_schema::time::Span;

/// Watches that are noted: far more than there are kinds and namespaces.
const WATCHES_MAX: usize = 1_000;

#[derive(Debug, Default)]
struct Noted {
    /// When each was heard of last, since the machine was started; by what it watches.
    watches: BTreeMap<String, Span>,
    /// Calls by what they did and how they were answered.
    calls: BTreeMap<(&'static str, u16), u64>,
}

/// What was noted, shared by all clients that are given it.
#[derive(Clone, Debug, Default)]
pub struct Signs(Arc<Mutex<Noted>>);

impl Signs {
    fn locked(&self) -> MutexGuard<'_, Noted> {
        // A poisoned lock holds whole values.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long ago each watch was heard of, by what it watches (`blueprints`, `games/plans`).
    pub fn ages(&self, since_boot: Span) -> BTreeMap<String, Span> {
        let noted = self.locked();
        let age = |then: &Span| Span::from_millis(since_boot.as_millis().saturating_sub(then.as_millis()));
        noted.watches.iter().map(|(what, then)| (what.clone(), age(then))).collect()
    }

    /// Calls that were made: by verb, by code of the answer (0 where there was none), and how many.
    pub fn calls(&self) -> Vec<(&'static str, u16, u64)> {
        self.locked().calls.iter().map(|((verb, code), count)| (*verb, *code, *count)).collect()
    }

    fn heard(&self, watch: &str) {
        let now = SystemClock.since_boot();
        let mut noted = self.locked();
        if let Some(then) = noted.watches.get_mut(watch) {
            *then = now;
        } else if noted.watches.len() < WATCHES_MAX {
            noted.watches.insert(watch.to_owned(), now);
        }
    }

    fn called(&self, verb: &'static str, code: u16) {
        *self.locked().calls.entry((verb, code)).or_default() += 1;
    }
}

/// Under which name a watch of ours is noted.
pub fn name_of(what: Watched, scope: Option<&str>) -> String {
    match (what, scope) {
        (Watched::Definition, None) => format!("{} blueprints.{GROUP}", what.plural()),
        (Watched::Namespace | Watched::Definition, Some(name)) => format!("{} {name}", what.plural()),
        (_, Some(namespace)) => format!("{namespace}/{}", what.plural()),
        (_, None) => what.plural().to_owned(),
    }
}

/// What a request does, in the words of the API server.
fn verb(method: &http::Method, path: &str, query: &str) -> &'static str {
    let is_named = place(path).1.is_some();
    match method.as_str() {
        "GET" if is_watch(query) => "watch",
        "GET" if is_named => "get",
        "GET" => "list",
        "POST" => "create",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" => "delete",
        _ => "other",
    }
}

fn is_watch(query: &str) -> bool {
    query.split('&').any(|part| part == "watch=true" || part == "watch=1")
}

/// What an address is about: kind, and with it the namespace; and the name of one.
fn place(path: &str) -> (String, Option<&str>) {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    // `/api/VERSION/…` or `/apis/GROUP/VERSION/…`
    let rest = match parts.first() {
        Some(&"api") => parts.get(2..),
        Some(&"apis") => parts.get(3..),
        _ => None,
    };
    match rest.unwrap_or_default() {
        ["namespaces", namespace, kind, named @ ..] => {
            (format!("{namespace}/{kind}"), named.first().copied())
        }
        [kind, named @ ..] => ((*kind).to_owned(), named.first().copied()),
        [] => (path.to_owned(), None),
    }
}

/// What is watched, with the one that is meant where only one is.
fn watched(path: &str, query: &str) -> String {
    let (what, _) = place(path);
    let one = query.split('&').find_map(|part| {
        let selector = part.strip_prefix("fieldSelector=metadata.name")?;
        selector.strip_prefix("%3D").or_else(|| selector.strip_prefix('='))
    });
    one.map_or_else(|| what.clone(), |one| format!("{what} {one}"))
}

/// Notes what passes a client.
impl<S> Layer<S> for Signs {
    type Service = Noting<S>;

    fn layer(&self, inner: S) -> Noting<S> {
        Noting { inner, signs: self.clone() }
    }
}

/// A way to the API server on which is noted what passes.
#[derive(Clone, Debug)]
pub struct Noting<S> {
    inner: S,
    signs: Signs,
}

impl<S, B> Service<Request<Body>> for Noting<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: HttpBody + Unpin + Send + 'static,
{
    type Response = Response<Heard<B>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
        let verb = verb(request.method(), path, query);
        let watch = is_watch(query).then(|| watched(path, query));
        let (signs, answer) = (self.signs.clone(), self.inner.call(request));
        Box::pin(async move {
            let answer = answer.await;
            signs.called(verb, answer.as_ref().map_or(0, |answer| answer.status().as_u16()));
            let answer = answer?;
            let watch = watch.filter(|_| answer.status().is_success());
            if let Some(watch) = &watch {
                signs.heard(watch);
            }
            Ok(answer.map(|body| Heard { body, watch: watch.map(|watch| (signs, watch)) }))
        })
    }
}

/// What comes back, of which each part is a sign where it is a watch.
#[derive(Debug)]
pub struct Heard<B> {
    body: B,
    watch: Option<(Signs, String)>,
}

impl<B: HttpBody + Unpin> HttpBody for Heard<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let (Poll::Ready(Some(Ok(_))), Some((signs, watch))) = (&polled, &self.watch) {
            signs.heard(watch);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_told_by_what_they_do_and_watches_by_what_they_watch() {
        let of = |method: &str, path: &str, query: &str| verb(&method.parse().unwrap(), path, query);
        let all = "/apis/rgctl.dev/v1alpha1/blueprints";
        let here = "/apis/rgctl.dev/v1alpha1/namespaces/games/plans";
        assert_eq!(of("GET", all, ""), "list");
        assert_eq!(of("GET", all, "limit=500&watch=true"), "watch");
        assert_eq!(of("GET", "/api/v1/namespaces/games/configmaps/one", ""), "get");
        assert_eq!(of("PATCH", &format!("{here}/p-1/status"), ""), "patch");
        assert_eq!(watched(all, ""), "blueprints");
        assert_eq!(watched(here, "watch=true"), "games/plans");
        let one = "fieldSelector=metadata.name%3Dblueprints.rgctl.dev&watch=true";
        let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        assert_eq!(watched(definitions, one), "customresourcedefinitions blueprints.rgctl.dev");
        assert_eq!(watched("/api/v1/namespaces", "watch=true"), "namespaces");
        assert_eq!(watched(all, ""), name_of(Watched::Blueprint, None));
        assert_eq!(watched(here, "watch=true"), name_of(Watched::Plan, Some("games")));
        assert_eq!(watched(definitions, one), name_of(Watched::Definition, None));
    }

    #[test]
    fn the_age_of_a_watch_is_counted_from_its_last_sign() {
        let signs = Signs::default();
        signs.heard("blueprints");
        let now = SystemClock.since_boot();
        let later = signs.ages(now + Span::from_mins(7))["blueprints"];
        assert!(later >= Span::from_mins(6), "{later}");
        signs.called("watch", 200);
        signs.called("watch", 200);
        assert_eq!(signs.calls(), [("watch", 200, 2)]);
    }
}
