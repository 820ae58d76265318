//! `rgctl status`, `rgctl drift`, `rgctl cost`: views of one look at the world.

use super::adapters::{self, Adapters};
use super::args::OutputForm;
use super::error::Failure;
use super::exit::Exit;
use super::figures::{self, CatalogFigures};
use super::load::LoadedBlueprint;
use super::output::Output;
use super::run::{self, PlanResult};
use super::settings::{CloudSettings, Settings};
use crate::report::at_work::AtWork;
use crate::report::cost::{self, CostReport, NotOurs, StoreCost};
use crate::report::document::{document, format};
use crate::report::drift::Past;
use crate::report::status::{Prices, StatusReport};
use crate::report::{drift, open, status, status_markdown};
use rgctl_engine::execution::drive;
use rgctl_engine::ledger::Ledger;
use rgctl_engine::planning::Figures;
use rgctl_machine::SystemClock;
use rgctl_model::bill::CostRange;
use rgctl_model::node::Node;
use rgctl_model::plan::Blocker;
use rgctl_model::policy::Policy;
use rgctl_model::ports::{Clock, Store, StoreError};
use rgctl_model::scope::Scope;
use rgctl_schema::names::{RegionId, StoreName};
use rgctl_sim::SimCloud;
use rgctl_store::objects::WorldFile;

/// What exists, in which phase, at what price.
pub async fn status(
    loaded: &LoadedBlueprint,
    adapters: &Adapters,
    settings: &Settings,
    output: &mut Output,
) -> Result<(), Failure> {
    let desired = &loaded.desired;
    let claims = run::claims(adapters, desired).await?;
    let PlanResult { plan, inventory, .. } =
        run::look_and_plan(adapters, desired, &loaded.figures, &Policy::default(), false).await?;
    let wanted = |store: &StoreName, region: &RegionId| {
        let mut range = CostRange::default();
        let bills = desired.bills.iter();
        for bill in bills.filter(|bill| bill.store == *store && bill.region == *region) {
            range.merge(&loaded.figures.range(bill));
        }
        range
    };
    let exists = status::existing(desired, &inventory, &claims, &plan);
    let figures = CatalogFigures::new(figures::catalog(settings)?, &exists, SystemClock.now());
    let existing = |node: &Node| figures.cost(&node.attrs, &node.usage, &node.address.region);
    let mut ledger = Ledger::default();
    let scope = drive::scope_of(&*adapters.cloud, &loaded.desired).await?;
    ledger.fold(&adapters.store.entries(&scope, 0).await?);
    let lease = adapters.store.lease(&scope).await?;
    let messages = adapters.store.inbox(&scope, 0).await?;
    let prices = Prices { existing: &existing, wanted: &wanted };
    let report = StatusReport {
        open: open::steps(&ledger),
        decisions: loaded.decided.clone(),
        at_work: AtWork::of(lease.as_ref(), &messages),
        ..status::report(desired, &inventory, &claims, &plan, &prices)
    };
    match settings.output {
        OutputForm::Text => output.data(&status::text(&report, output.style))?,
        OutputForm::Markdown | OutputForm::Html => output.data(&status_markdown::markdown(&report))?,
        form => output.document(&document(format::STATUS, &report), form)?,
    }
    if report.health.needs_person() { Err(Failure::said(Exit::Blocked)) } else { Ok(()) }
}

/// What differs, and by which hand.
pub async fn drift(
    loaded: &LoadedBlueprint,
    adapters: &Adapters,
    settings: &Settings,
    output: &mut Output,
) -> Result<(), Failure> {
    let PlanResult { plan, .. } =
        run::look_and_plan(adapters, &loaded.desired, &loaded.figures, &Policy::default(), false).await?;
    let scope = drive::scope_of(&*adapters.cloud, &loaded.desired).await?;
    let mut past = Past::default();
    fold_past(&*adapters.store, &scope, &mut past).await?;
    for note in &loaded.notes {
        output.say(&format!("note: {note}"));
    }
    let report = drift::report(&plan, &loaded.desired.fingerprint, &past);
    match settings.output {
        OutputForm::Text => output.data(&drift::text(&report, output.style))?,
        OutputForm::Markdown | OutputForm::Html => output.data(&drift::markdown(&report))?,
        form => output.document(&document(format::DRIFT, &report), form)?,
    }
    if report.health.needs_person() {
        Err(Failure::said(Exit::Blocked))
    } else if report.clean {
        Ok(())
    } else {
        Err(Failure::said(Exit::Differences))
    }
}

/// What is bound to objects of ours and not ours. A world is looked at where there is one without asking for credentials: an
/// embedded cloud that has been begun.
async fn bound_to_ours(loaded: &LoadedBlueprint, settings: &Settings) -> Result<NotOurs, Failure> {
    let not = |why: &str| Ok(NotOurs::Not { why: why.to_owned() });
    if settings.cloud != CloudSettings::Sim {
        return not("`rgctl cost` asks for no credentials and looks at nothing; `rgctl status` does");
    }
    if SimCloud::peek(&WorldFile::under(&settings.state_dir)).is_none() {
        return not("there is no embedded cloud here yet to look at");
    }
    let adapters = adapters::open(settings)?;
    let mut desired = loaded.desired.clone();
    let scope = drive::scope_of(&*adapters.cloud, &desired).await?;
    desired.regions.extend(run::regions_left(&adapters, &scope, &desired).await?);
    let claims = run::claims(&adapters, &desired).await?;
    let PlanResult { plan, inventory, .. } =
        run::look_and_plan(&adapters, &desired, &loaded.figures, &Policy::default(), false).await?;
    let exists = status::existing(&desired, &inventory, &claims, &plan);
    let figures = CatalogFigures::new(figures::catalog(settings)?, &exists, SystemClock.now());
    let existing = |node: &Node| figures.cost(&node.attrs, &node.usage, &node.address.region);
    let wanted = |_: &StoreName, _: &RegionId| CostRange::default();
    let prices = Prices { existing: &existing, wanted: &wanted };
    let members = plan.waiting.iter().filter(|one| matches!(one, Blocker::ForeignMember { .. }));
    Ok(NotOurs::Observed {
        objects: members.map(|one| one.address().name.to_string()).collect(),
        cost: status::report(&desired, &inventory, &claims, &plan, &prices).not_ours,
        unseen: inventory.unseen_regions().cloned().collect(),
    })
}

/// What the blueprint costs a month. A look that fails takes nothing from that.
pub async fn cost(loaded: &LoadedBlueprint, settings: &Settings, output: &mut Output) -> Result<(), Failure> {
    let not_ours = match bound_to_ours(loaded, settings).await {
        Ok(not_ours) => not_ours,
        Err(failure) => NotOurs::Not { why: failure.message },
    };
    let stores = loaded.desired.bills.iter().map(|bill| StoreCost {
        store: bill.store.clone(),
        region: bill.region.clone(),
        standby: bill.standby,
        cost: loaded.figures.range(bill),
    });
    let report = CostReport {
        blueprint: loaded.desired.blueprint.clone(),
        stores: stores.collect(),
        not_ours,
        prices: loaded.figures.sources(),
    };
    match settings.output {
        OutputForm::Text => output.data(&cost::text(&report, output.style))?,
        OutputForm::Markdown | OutputForm::Html => output.data(&cost::markdown(&report))?,
        form => output.document(&document(format::COST, &report), form)?,
    }
    Ok(())
}

/// Folds in what the record has grown by, or all of it where it is not the one that was read before.
pub async fn fold_past(store: &dyn Store, scope: &Scope, past: &mut Past) -> Result<(), StoreError> {
    let (seq, hash) = store.head(scope).await?;
    if (seq, hash.as_str()) == past.end() {
        return Ok(());
    }
    let mut lines = store.entries(scope, past.end().0).await?;
    if lines.first().is_none_or(|first| first.previous != past.end().1) {
        *past = Past::default();
        lines = store.entries(scope, 0).await?;
    }
    past.fold(&lines);
    Ok(())
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use rgctl_model::journal::{Event, Outcome, Purpose};
    use rgctl_model::scope::Home;
    use rgctl_schema::names::{BlueprintName, Fingerprint, RunId, StepId};
    use rgctl_schema::time::Span;
    use rgctl_sim::{GENESIS, SimCloud};
    use rgctl_store::journal::SqliteStore;
    use rgctl_testkit::taps::{Cut, Taps};

    use super::*;

    fn lines(desired: &str) -> [Event; 3] {
        let opened = Event::Opened {
            purpose: Purpose::Apply,
            policy: Policy::default(),
            desired: Fingerprint(desired.to_owned()),
            steps: 1,
            rules: None,
        };
        let step = StepId(format!("create {desired}").into());
        let closed = Event::Closed { outcome: Outcome::Settled, summary: String::new(), left: None };
        [opened, Event::Settled { step, object: None }, closed]
    }

    #[test]
    fn who_looks_again_reads_only_what_a_record_has_grown_by_and_all_of_another_one() {
        let (cloud, store) = (SimCloud::in_memory(1, GENESIS), SqliteStore::in_memory().unwrap());
        let scopes = ["sim/a", "sim/b"]
            .map(|home| Scope::new(Home::parse(home).unwrap(), BlueprintName::new("game").unwrap()));
        let write = |scope: &Scope, after: u64, desired: &str| {
            let (run, lasts) = (RunId("run".to_owned()), Span::from_mins(1));
            let lease =
                store.take_lease(scope, &run, "ann", GENESIS, lasts, None).now_or_never().unwrap().unwrap();
            store.append(&lease, after, GENESIS, &lines(desired)).now_or_never().unwrap().unwrap();
            store.release_lease(&lease).now_or_never().unwrap().unwrap();
        };
        let mut past = Past::default();
        let mut reads = |scope: &Scope| {
            let taps = Taps::new(&cloud, &store, Cut::Never);
            fold_past(&taps, scope, &mut past).now_or_never().unwrap().unwrap();
            let whole = Past::of(&store.entries(scope, 0).now_or_never().unwrap().unwrap());
            assert_eq!(past, whole, "as if all had been read");
            taps.lines_read.into_inner().unwrap().unwrap_or_default()
        };
        write(&scopes[0], 0, "one");
        assert_eq!((reads(&scopes[0]), reads(&scopes[0])), (3, 0));
        write(&scopes[0], 3, "two");
        assert_eq!(reads(&scopes[0]), 3);
        // Another record in its place, which is longer or as long.
        write(&scopes[1], 0, "three");
        write(&scopes[1], 3, "four");
        write(&scopes[1], 6, "five");
        assert_eq!(reads(&scopes[1]), 3 + 9, "what seems new, and then all");
    }
}
