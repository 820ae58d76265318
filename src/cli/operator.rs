//! `rgctl operator run`: the loop of an agent, fed by the API server of a cluster.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::adapters;
use super::agent::{bound, keep_pace, summary};
use super::agent_accounts::Accounts;
use super::agent_organ::{Means, Turns};
use super::agent_texts::Language;
use super::error::Failure;
use super::exit::Exit;
use super::figures;
use super::observers::Observers;
use super::operator_accounts::AccountOpener;
use super::operator_args::{OperatorCommand, OperatorRunArgs};
use super::operator_costs::Costs;
use super::operator_events::Events;
use super::operator_feed::{Cluster, Feed, Watches};
use super::operator_leader::Turn;
use super::operator_organ::OperatorTurns;
use super::operator_print;
use super::operator_watches::watch_over;
use super::output::Output;
use super::settings::Settings;
use super::signals::{self, StopRequest};
use crate::agent::folder::Texts;
use crate::agent::health::Health;
use crate::agent::metrics::{Metric, Metrics};
use crate::agent::observer::{Intervals, Observer};
use crate::agent::queue::Limits;
use crate::agent::serve::{Told as Listening, serve};
use crate::agent::work::{Agent, Organ, Rhythm};
use crate::operator::source::Sources;
use rgctl_kube::client::{Client, Use, connect_noting};
use rgctl_kube::crds::printed;
use rgctl_kube::desk::Desk;
use rgctl_kube::herald::Herald;
use rgctl_kube::item::{Told, Watched};
use rgctl_kube::kinds::OPERATOR;
use rgctl_kube::kinds::document::told;
use rgctl_kube::place::Cluster as Place;
use rgctl_kube::signs::Signs;
use rgctl_kube::watch::follow;
use rgctl_machine::SystemClock;
use rgctl_schema::digest::sha256_hex;
use rgctl_schema::time::Span;

/// News that wait for the loop: it is never far behind.
const NEWS_MAX: usize = 1_024;
/// How often orders are looked for in the store: each look is a call to it.
const ORDERS: Span = Span::from_mins(1);

/// Does what is asked of the operator.
pub async fn run(command: &OperatorCommand, settings: &Settings, output: &mut Output) -> Result<(), Failure> {
    match command {
        OperatorCommand::Run(args) => in_turn(args, settings, output).await,
        OperatorCommand::Crds => operator_print::crds(output),
        OperatorCommand::Manifests(args) => operator_print::manifests(args, output),
        OperatorCommand::Chart(args) => operator_print::chart(args, output),
    }
}

/// Everything that is watched.
fn watches(namespaces: &[String], own: &str) -> Watches {
    let mut all: Watches = printed().into_iter().map(|one| (Watched::Definition, Some(one.name))).collect();
    for what in Watched::ALL.into_iter().filter(|what| *what != Watched::Definition) {
        if namespaces.is_empty() || what == Watched::Account {
            all.push((what, None));
            continue;
        }
        all.extend(namespaces.iter().map(|name| (what, Some(name.clone()))));
    }
    // Regions of its own namespace are for the blueprints of all.
    let shared = (Watched::Region, Some(own.to_owned()));
    if !namespaces.is_empty() && !all.contains(&shared) {
        all.push(shared);
    }
    all
}

/// What is around the work: who watches over it, and when it has to end.
struct Around<'a> {
    health: &'a Arc<Health>,
    metrics: &'a Arc<Metrics>,
    stop: &'a StopRequest,
}

/// Waits for its turn among the replicas, works, and gives the turn on.
async fn in_turn(args: &OperatorRunArgs, settings: &Settings, output: &mut Output) -> Result<(), Failure> {
    let health = Arc::new(Health::new(&SystemClock));
    let metrics = Arc::new(Metrics::new(env!("CARGO_PKG_VERSION")));
    if args.elect {
        // Before anybody can ask: it waits, and does not know yet for whom.
        health.waits(&SystemClock, false);
    }
    if !args.no_listen {
        let listener = bound(args.listen).await?;
        listen(listener, &health, &metrics);
    }
    let stop = StopRequest::default();
    let mut signal = std::pin::pin!(signals::second_signal(stop.clone(), super::agent::say_at_once));
    metrics.set(Metric::Leader, &[], 0.0);
    let turn = tokio::select! {
        biased;
        () = &mut signal => return Err(Failure::said(Exit::Interrupted)),
        turn = Turn::won(args, &health, &stop) => turn?,
    };
    if !stop.is_made() {
        metrics.set(Metric::Leader, &[], 1.0);
        let around = Around { health: &health, metrics: &metrics, stop: &stop };
        tokio::select! {
            // First: who wakes up after a long stop does nothing more.
            biased;
            why = turn.lost() => return Err(why),
            done = work(args, settings, output, &around, signal.as_mut()) => done?,
        }
    }
    tokio::select! {
        biased;
        () = signal => Err(Failure::said(Exit::Interrupted)),
        () = turn.over() => Ok(()),
    }
}

async fn work(
    args: &OperatorRunArgs,
    settings: &Settings,
    output: &mut Output,
    around: &Around<'_>,
    second_signal: impl Future<Output = ()>,
) -> Result<(), Failure> {
    let bad = |why: String| Failure::new(Exit::BadInput, why);
    let cluster_of = args.cluster.context.clone().map_or(Place::Here, Place::Context);
    let signs = Signs::default();
    let watching = connected(&cluster_of, OPERATOR, Use::Watches, &signs).await?;
    let writing = connected(&cluster_of, OPERATOR, Use::Calls, &signs).await?;
    let catalog = Arc::new(figures::catalog(settings)?);
    // What is wanted of an unchanged text follows from both.
    let version = format!("{} {}", env!("CARGO_PKG_VERSION"), short(&format!("{catalog:?}")));
    let language = Language::new(catalog, None, adapters::now(settings)).map_err(bad)?.telling(told);
    let adapters = adapters::open(settings)?;
    keep_pace(&adapters, &args.pace, output)?;
    let observer =
        Observer::new(Arc::clone(&adapters.cloud), Arc::clone(&adapters.clock), Intervals::default());
    let cluster = Arc::<Cluster>::default();
    let opener = Arc::new(AccountOpener::new(Arc::clone(&cluster), &adapters));
    let observers = Observers::one(observer, Arc::clone(&adapters.clock)).opening(Arc::clone(&opener) as _);
    let (texts, stop) = (Texts::default(), around.stop.clone());
    let (sim, clock, account) = (adapters.sim.clone(), Arc::clone(&adapters.clock), adapters.cloud_word());
    let sources = Sources::new(language.clone(), args.own_namespace.clone()).map_err(bad)?;
    let sources = sources.accounts_only(args.accounts_only);
    let accounts = Arc::new(Accounts::new(settings.identities.clone(), account));
    let means = Means { adapters, observers, texts: Arc::clone(&texts), language, accounts, stop };
    let watches = watches(&args.namespaces, &args.own_namespace);
    let (told, client) = (tellers(&writing, around.metrics), writing.clone());
    let (turns, desk, shared) = (Turns::acting(means, None), Desk::new(writing), Arc::clone(&cluster));
    let organ = OperatorTurns::new(turns, shared, desk, version.clone(), args.observe_only, told, opener);
    let (send, news) = mpsc::channel(NEWS_MAX);
    let heard = watch_all(&watching, &watches);
    let (health, metrics) = (Arc::clone(around.health), Arc::clone(around.metrics));
    let about = (watches.clone(), Arc::clone(&cluster));
    let watching_over = tokio::spawn(watch_over(signs, about, Arc::clone(&health), metrics));
    let account = account.to_owned();
    let feed =
        Feed { cluster, sources, texts, watches, account, printed: printed(), health, news: send, client };
    let feeding = tokio::spawn(feed.run(heard));
    tracing::info!(target: "rgctl::operator", version, "begins");
    let stopping = || around.stop.is_made();
    let agent = Agent {
        organ: &organ as &dyn Organ,
        clock: &*clock,
        wall: &SystemClock,
        health: around.health,
        metrics: around.metrics,
        stopping: &stopping,
        limits: Limits { floor: args.floor, ..Limits::default() },
        rhythm: Rhythm { orders: ORDERS, ..Rhythm::default() },
    };
    let ended = tokio::select! {
        biased;
        () = second_signal => Err(Failure::said(Exit::Interrupted)),
        ended = agent.run(news) => Ok(ended),
    };
    feeding.abort();
    watching_over.abort();
    if let Some(sim) = sim {
        // A world that cannot be written to any more stands by itself.
        let _ = sim.leave_pace();
    }
    let ended = ended?;
    tracing::info!(target: "rgctl::operator", turns = ended.turns, "ended");
    output.data(&summary(&ended))?;
    Ok(())
}

/// What tells events and cost.
fn tellers(client: &Client, metrics: &Arc<Metrics>) -> (Arc<Events>, Costs) {
    let herald = Herald::new(client.clone(), rgctl_machine::owner());
    (Events::new(herald), Costs::new(Arc::clone(metrics)))
}

/// Tells health and numbers.
fn listen(listener: TcpListener, health: &Arc<Health>, metrics: &Arc<Metrics>) {
    let told =
        Listening { health: Arc::clone(health), metrics: Arc::clone(metrics), clock: Arc::new(SystemClock) };
    tokio::spawn(serve(listener, told));
}

/// Begins all watches.
fn watch_all(client: &Client, watches: &Watches) -> mpsc::Receiver<Told> {
    let (tell, heard) = mpsc::channel(NEWS_MAX);
    for (what, namespace) in watches {
        tokio::spawn(follow(client.clone(), *what, namespace.clone(), tell.clone()));
    }
    heard
}

async fn connected(cluster: &Place, name: &str, purpose: Use, signs: &Signs) -> Result<Client, Failure> {
    connect_noting(cluster, name, purpose, signs).await.map_err(|error| Failure::of(Exit::BadInput, &error))
}

fn short(text: &str) -> String {
    sha256_hex(text.as_bytes()).chars().take(12).collect()
}

#[cfg(test)]
mod tests {
    use rgctl_kube::leader::Terms;

    use super::*;

    /// How often the client begins a watch anew that lives.
    const WATCHED_ANEW: f64 = 290.0;

    #[test]
    fn a_quiet_leader_with_its_watches_makes_ten_calls_a_minute_at_most() {
        let watches = watches(&[], "rgctl-system").len() as f64;
        let calls = 60.0 / Terms::default().renews.as_secs_f64() + watches * 60.0 / WATCHED_ANEW;
        assert!(calls <= 10.0, "{calls}, {watches} watches");
    }
}
