//! `rgctl operator run`: the loop of an agent, fed by the API server of a cluster.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::adapters;
use super::agent::{bound, keep_pace, summary};
use super::agent_accounts::Accounts;
use super::agent_organ::{Means, Turns};
use super::agent_texts::Language;
use super::error::Failure;
use super::exit::Exit;
use super::figures;
use super::operator_args::{OperatorCommand, OperatorRunArgs};
use super::operator_feed::{Cluster, Feed, Watches};
use super::operator_organ::OperatorTurns;
use super::operator_print;
use super::output::Output;
use super::settings::Settings;
use super::signals::{self, StopRequest};
use crate::agent::folder::Texts;
use crate::agent::health::Health;
use crate::agent::metrics::Metrics;
use crate::agent::observer::{Intervals, Observer};
use crate::agent::queue::Limits;
use crate::agent::serve::{Told as Listening, serve};
use crate::agent::work::{Agent, Organ, Rhythm};
use crate::operator::source::Sources;
use rgctl_kube::desk::Desk;
use rgctl_kube::item::Watched;
use rgctl_kube::kinds::document::told;
use rgctl_kube::watch::follow;
use rgctl_machine::SystemClock;
use rgctl_schema::time::Span;

/// News that wait for the loop: it is never far behind.
const NEWS_MAX: usize = 1_024;
/// How often orders are looked for in the store: each look is a call to it.
const ORDERS: Span = Span::from_mins(1);

/// Does what is asked of the operator.
pub async fn run(command: &OperatorCommand, settings: &Settings, output: &mut Output) -> Result<(), Failure> {
    match command {
        OperatorCommand::Run(args) => work(args, settings, output).await,
        OperatorCommand::Crds => operator_print::crds(output),
        OperatorCommand::Manifests(args) => operator_print::manifests(args, output),
        OperatorCommand::Chart(args) => operator_print::chart(args, output),
    }
}

/// Everything that is watched.
fn watches(namespaces: &[String]) -> Watches {
    let mut all = vec![(Watched::Definition, None)];
    for what in Watched::ALL.into_iter().filter(|what| *what != Watched::Definition) {
        if namespaces.is_empty() {
            all.push((what, None));
        }
        all.extend(namespaces.iter().map(|name| (what, Some(name.clone()))));
    }
    all
}

async fn work(args: &OperatorRunArgs, settings: &Settings, output: &mut Output) -> Result<(), Failure> {
    let listener = if args.no_listen { None } else { Some(bound(args.listen).await?) };
    let bad = |why: String| Failure::new(Exit::BadInput, why);
    let client = rgctl_kube::desk::connect(args.cluster.context.as_deref())
        .await
        .map_err(|why| bad(why.to_string()))?;
    let catalog = Arc::new(figures::catalog(settings)?);
    let language = Language::new(catalog, None, adapters::now(settings)).map_err(bad)?.telling(told);
    let adapters = adapters::open(settings)?;
    keep_pace(&adapters, &args.pace, output)?;
    let observer =
        Observer::new(Arc::clone(&adapters.cloud), Arc::clone(&adapters.clock), Intervals::default());
    let (texts, stop) = (Texts::default(), StopRequest::default());
    let (sim, clock, account) = (adapters.sim.clone(), Arc::clone(&adapters.clock), adapters.cloud_word());
    let sources = Sources::new(language.clone(), args.own_namespace.clone()).map_err(bad)?;
    let accounts = Arc::new(Accounts::new(settings.identities.clone(), account));
    let means =
        Means { adapters, observer, texts: Arc::clone(&texts), language, accounts, stop: stop.clone() };
    let (cluster, watches) = (Arc::<Cluster>::default(), watches(&args.namespaces));
    let organ = OperatorTurns::new(
        Turns::acting(means, None),
        Arc::clone(&cluster),
        Desk::new(client.clone()),
        args.observe_only,
    );
    let (health, metrics) =
        (Arc::new(Health::new(&SystemClock)), Arc::new(Metrics::new(env!("CARGO_PKG_VERSION"))));
    if let Some(listener) = listener {
        let told = Listening {
            health: Arc::clone(&health),
            metrics: Arc::clone(&metrics),
            clock: Arc::new(SystemClock),
        };
        tokio::spawn(serve(listener, told));
    }
    let (send, news) = mpsc::channel(NEWS_MAX);
    let (tell, heard) = mpsc::channel(NEWS_MAX);
    for (what, namespace) in &watches {
        tokio::spawn(follow(client.clone(), *what, namespace.clone(), tell.clone()));
    }
    drop(tell);
    let feed = Feed { cluster, sources, texts, watches, account: account.to_owned(), news: send };
    let feeding = tokio::spawn(feed.run(heard));
    tracing::info!(target: "rgctl::operator", version = env!("CARGO_PKG_VERSION"), "begins");
    let stopping = || stop.is_made();
    let agent = Agent {
        organ: &organ as &dyn Organ,
        clock: &*clock,
        wall: &SystemClock,
        health: &health,
        metrics: &metrics,
        stopping: &stopping,
        limits: Limits { floor: args.floor, ..Limits::default() },
        rhythm: Rhythm { orders: ORDERS, ..Rhythm::default() },
    };
    let ended = tokio::select! {
        biased;
        () = signals::second_signal(stop.clone(), super::agent::say_at_once) => Err(Failure::said(Exit::Interrupted)),
        ended = agent.run(news) => Ok(ended),
    };
    feeding.abort();
    if let Some(sim) = sim {
        // A world that cannot be written to any more stands by itself.
        let _ = sim.leave_pace();
    }
    let ended = ended?;
    tracing::info!(target: "rgctl::operator", turns = ended.turns, "ended");
    output.data(&summary(&ended))?;
    Ok(())
}
