//! `rgctl agent pause | resume | reconcile | orders`: messages to the agents of an account, in the store that they share.
//!
//! They need no network port and no lease: whoever may write to the store may order, and the store keeps who did.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::adapters;
use super::agent_args::{OrderArgs, OrdersArgs};
use super::args::OutputForm;
use super::error::Failure;
use super::exit::Exit;
use super::history;
use super::output::Output;
use super::settings::Settings;
use crate::report::document::{document, format};
use rgctl_machine::SystemClock;
use rgctl_model::inbox::{self, Message, Request};
use rgctl_model::ports::{Clock, Store};
use rgctl_model::scope::Scope;
use rgctl_schema::names::BlueprintName;
use rgctl_schema::time::Moment;

/// Leaves an order for the agents.
pub async fn order(
    args: &OrderArgs,
    order: impl FnOnce(Option<BlueprintName>) -> Request,
    settings: &Settings,
    output: &mut Output,
) -> Result<(), Failure> {
    let store = adapters::store(settings)?;
    let scope = agents(&args.account, args.blueprint.as_ref(), &*store, settings).await?;
    let request = order(args.blueprint.clone());
    store.post(&scope, &rgctl_machine::owner(), SystemClock.now(), &request).await?;
    output.say(&format!(
        "ordered: {}; agents of {} hear of it within seconds",
        words(&request),
        scope.home.in_words()
    ));
    Ok(())
}

/// Tells the agents of an account that something was decided about a blueprint: what nothing else shows, they would hear of
/// within a day. Where it cannot be said the decision stands all the same.
pub async fn ring(store: &dyn Store, scope: &Scope) {
    let Some(agents) = inbox::agents(&scope.home) else { return };
    let request = Request::Reconcile { blueprint: Some(scope.blueprint.clone()) };
    if let Err(error) = store.post(&agents, &rgctl_machine::owner(), SystemClock.now(), &request).await {
        tracing::warn!(%error, "agents could not be told of the decision");
    }
}

/// An order as a document.
#[derive(Serialize)]
struct Shown {
    at: Moment,
    from: String,
    order: String,
}

/// Everything that was ordered.
#[derive(Serialize)]
struct OrdersReport {
    account: String,
    /// What is paused, with who ordered it last and when; `*` for all.
    paused: BTreeMap<String, String>,
    orders: Vec<Shown>,
}

/// Shows what was ordered.
pub async fn show(args: &OrdersArgs, settings: &Settings, output: &mut Output) -> Result<(), Failure> {
    let Some(store) = adapters::store_to_read(settings)? else {
        output.say("nothing was ordered");
        return Ok(());
    };
    let scope = agents(args, None, &*store, settings).await?;
    let messages = store.inbox(&scope, 0).await?;
    let report = OrdersReport {
        account: scope.home.to_string(),
        paused: paused(&messages),
        orders: messages
            .iter()
            .map(|one| Shown { at: one.at, from: one.from.clone(), order: words(&one.what) })
            .collect(),
    };
    match output_form(settings) {
        OutputForm::Text | OutputForm::Markdown | OutputForm::Html => output.data(&text(&report))?,
        form => output.document(&document(format::ORDERS, &report), form)?,
    }
    Ok(())
}

const fn output_form(settings: &Settings) -> OutputForm {
    settings.output
}

fn text(report: &OrdersReport) -> String {
    let mut out = String::new();
    if report.paused.is_empty() {
        out.push_str("nothing is paused\n");
    }
    for (what, by) in &report.paused {
        let what = if what == "*" { "everything" } else { what };
        let _ = writeln!(out, "paused: {what}, by {by}");
    }
    for order in &report.orders {
        let _ = writeln!(out, "  {}  {}: {}", order.at, order.from, order.order);
    }
    out
}

/// What is paused after all these orders. An order for all goes before those for one that came earlier.
fn paused(messages: &[Message]) -> BTreeMap<String, String> {
    let mut paused = BTreeMap::new();
    for message in messages {
        let (blueprint, is_pause) = match &message.what {
            Request::Pause { blueprint } => (blueprint, true),
            Request::Resume { blueprint } => (blueprint, false),
            Request::Yield { .. } | Request::Reconcile { .. } => continue,
        };
        let name = blueprint.as_ref().map_or_else(|| "*".to_owned(), ToString::to_string);
        if name == "*" && !is_pause {
            paused.clear();
        }
        paused.remove(&name);
        if is_pause {
            paused.insert(name, format!("{} at {}", message.from, message.at));
        }
    }
    paused
}

fn words(request: &Request) -> String {
    let of = |blueprint: &Option<BlueprintName>| {
        blueprint.as_ref().map_or_else(|| "all".to_owned(), ToString::to_string)
    };
    match request {
        Request::Yield { epoch } => format!("holder {epoch} of the lease yields"),
        Request::Pause { blueprint } => format!("pause {}", of(blueprint)),
        Request::Resume { blueprint } => format!("resume {}", of(blueprint)),
        Request::Reconcile { blueprint } => format!("reconcile {}", of(blueprint)),
    }
}

/// Where orders are left for the agents of the account that is meant.
async fn agents(
    args: &OrdersArgs,
    blueprint: Option<&BlueprintName>,
    store: &dyn Store,
    settings: &Settings,
) -> Result<Scope, Failure> {
    let home = match (&args.account, blueprint) {
        (Some(home), _) => Some(home.clone()),
        (None, Some(blueprint)) => history::usual(&store.homes(blueprint).await?, settings)?,
        (None, None) => history::usual(&std::collections::BTreeSet::new(), settings)?,
    };
    home.as_ref().and_then(inbox::agents).ok_or_else(|| {
        Failure::new(Exit::BadInput, "it is not known which account's agents are meant")
            .hint("name it: `--account aws/123456789012`, or `sim/` and the id of the world")
    })
}

#[cfg(test)]
mod tests {
    use rgctl_model::chain;
    use rgctl_model::scope::Home;

    use super::*;

    #[test]
    fn what_is_paused_follows_from_the_orders_in_their_sequence() {
        let home = Home::parse("sim/a").unwrap();
        let scope = inbox::agents(&home).unwrap();
        let name = |name: &str| Some(BlueprintName::new(name).unwrap());
        let orders = [
            Request::Pause { blueprint: name("a") },
            Request::Pause { blueprint: None },
            Request::Resume { blueprint: name("a") },
            Request::Reconcile { blueprint: name("b") },
        ];
        let mut messages: Vec<Message> = Vec::new();
        for order in orders {
            messages.push(chain::seal_message(&scope, messages.last(), Moment::EPOCH, "ann", &order));
        }
        let keys = |messages: &[Message]| paused(messages).into_keys().collect::<Vec<_>>();
        assert_eq!(keys(&messages[..1]), ["a"]);
        assert_eq!(keys(&messages[..2]), ["*", "a"]);
        assert_eq!(keys(&messages), ["*"]);
        let last = chain::seal_message(
            &scope,
            messages.last(),
            Moment::EPOCH,
            "ann",
            &Request::Resume { blueprint: None },
        );
        messages.push(last);
        assert_eq!(keys(&messages), [""; 0]);
    }
}
