//! Records from the time before accounts were known, and records that move to another store.
//!
//! A record that is kept under the name of its blueprint only may be any account's. The first account in which something
//! is seen that carries its tokens claims it; a person may say whose it is; until then nothing is done.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::adapters::{self, Adapters};
use super::args::MigrateArgs;
use super::error::Failure;
use super::exit::Exit;
use super::history::usual;
use super::output::Output;
use super::settings::{Settings, StoreSettings};
use crate::report::overlays::decision_words;
use rgctl_engine::execution::drive;
use rgctl_engine::execution::turn::Pace;
use rgctl_engine::ledger::Ledger;
use rgctl_machine::SystemClock;
use rgctl_model::node::Desired;
use rgctl_model::observed::Inventory;
use rgctl_model::ports::Clock;
use rgctl_model::ports::archive::{Archive, WholeRecord};
use rgctl_model::scope::{Home, Scope};

/// Claims the old record of a blueprint where what is seen shows that it is this account's. Where it may be another's, the
/// answer is no.
pub async fn claim(adapters: &Adapters, scope: &Scope, desired: &Desired) -> Result<(), Failure> {
    let old = adapters.store.old_entries(scope).await?;
    // An account with a record of its own never takes another one.
    if old.is_empty() || !adapters.store.entries(scope, 0).await?.is_empty() {
        return Ok(());
    }
    let mut ledger = Ledger::default();
    ledger.fold(&old);
    if ledger.claims.objects.is_empty() && ledger.begun.is_empty() {
        // It made nothing that is still there: nobody misses it.
        return Ok(());
    }
    let mut wanted = drive::selection_of(desired, &ledger.claims);
    wanted.regions.extend(ledger.regions_held(adapters.clock.now(), Pace::default().late));
    let seen = drive::observe(&adapters.environment(), drive::Sight::without_blueprint(&wanted)).await?;
    if shows(&ledger, &seen) {
        return Ok(adapters.store.claim(scope, adapters.wall.now()).await?);
    }
    let (blueprint, home) = (&scope.blueprint, &scope.home);
    Err(Failure::new(
        Exit::Blocked,
        format!(
            "there is a record of {blueprint} from a version that knew no accounts, and nothing that it made is seen in {}; \
             nothing was done",
            home.in_words()
        ),
    )
    .hint(format!("if it is this one's: `rgctl history migrate {blueprint} --to local --account {home}`"))
    .hint(
        "if it is another's, name that one there, such as `--account aws/123456789012` or, for a world that is gone, \
         `--account sim/old`",
    ))
}

/// Whether something that is seen carries the token of a call in the record.
fn shows(ledger: &Ledger, seen: &Inventory) -> bool {
    let tokens: BTreeSet<&str> =
        ledger.claims.objects.values().flat_map(|one| &one.tokens).map(|token| token.0.as_str()).collect();
    seen.seen.values().any(|one| one.token().is_some_and(|token| tokens.contains(token)))
}

/// `rgctl history migrate`: a record goes to another store, or an old one to an account.
pub async fn migrate(args: &MigrateArgs, settings: &Settings, output: &mut Output) -> Result<(), Failure> {
    let Some(from) = adapters::store_to_read(settings)? else {
        return Err(nothing(args));
    };
    let to = settings.other_store(&args.to)?;
    let mut homes: Vec<Home> = from.homes(&args.blueprint).await?.into_iter().collect();
    if let Some(home) = whose_is_the_old(args, &*from, &homes, settings).await? {
        let scope = Scope::new(home.clone(), args.blueprint.clone());
        from.claim(&scope, SystemClock.now()).await?;
        output.say(&format!("the old record of {} is that of {} now", args.blueprint, home.in_words()));
        homes.push(home);
    }
    if let Some(home) = &args.account {
        homes.retain(|one| one == home);
    }
    if homes.is_empty() {
        return Err(nothing(args));
    }
    if is_same(settings, &to) {
        return Ok(());
    }
    let target = adapters::store(&to)?;
    for home in homes {
        let scope = Scope::new(home, args.blueprint.clone());
        let record = hand_over(&*from, &*target, &scope, &args.to).await?;
        let lines = record.entries.len();
        output.say(&format!("{scope}: {lines} lines moved to {}, with the identity of the record", args.to));
        let (decided, memories) = (record.decisions.len(), record.blobs.len());
        if decided + memories > 0 {
            output.say(&format!("{scope}: went along: decisions {decided}, memories {memories}"));
        }
        // Whoever decides holds no lease: between the copy and the closing of the old store it was still open.
        for late in from.decisions(&scope, record.standing.last_seq).await? {
            output.say(&format!(
                "note: {} {} at {}, after it was copied: give that command again",
                late.what.by(),
                decision_words(&late.what, None),
                late.at
            ));
        }
    }
    Ok(())
}

fn nothing(args: &MigrateArgs) -> Failure {
    Failure::new(Exit::BadInput, format!("nothing is on record for {}", args.blueprint))
        .hint("name the store that has it with `--store`, or its folder with `--state-dir`")
}

fn is_same(settings: &Settings, to: &Settings) -> bool {
    let folder =
        |settings: &Settings| settings.state_dir.canonicalize().unwrap_or(settings.state_dir.clone());
    match (&settings.store, &to.store) {
        (StoreSettings::Folder, StoreSettings::Folder) => folder(settings) == folder(to),
        (one, other) => one == other,
    }
}

/// The account that an old record is given to: the one that is named or, where none is, the usual one.
async fn whose_is_the_old(
    args: &MigrateArgs,
    from: &dyn Archive,
    homes: &[Home],
    settings: &Settings,
) -> Result<Option<Home>, Failure> {
    // Only the blueprint counts for what is kept without an account.
    let any = Home::parse("sim/any").map(|home| Scope::new(home, args.blueprint.clone()));
    let Some(any) = any.filter(|_| homes.is_empty() || args.account.is_some()) else { return Ok(None) };
    if from.old_entries(&any).await?.is_empty() {
        return Ok(None);
    }
    let named = match &args.account {
        Some(home) => Some(home.clone()),
        None => usual(&BTreeSet::new(), settings)?,
    };
    match named {
        Some(home) if homes.contains(&home) => Ok(None),
        Some(home) => Ok(Some(home)),
        None => Err(Failure::new(
            Exit::BadInput,
            format!("the record of {} is from a version that knew no accounts", args.blueprint),
        )
        .hint("say whose it is: `--account aws/123456789012`, or `sim/` and the id of a world")),
    }
}

/// Moves the record of one scope under its lease, so that nobody writes to it meanwhile.
async fn hand_over(
    from: &dyn Archive,
    to: &dyn Archive,
    scope: &Scope,
    name: &str,
) -> Result<WholeRecord, Failure> {
    let owner = rgctl_machine::owner();
    let run = rgctl_machine::new_run(&owner, SystemClock.now());
    let lasts = Pace::default().lease;
    let lease = from.take_lease(scope, &run, &owner, SystemClock.now(), lasts, None).await?;
    let record = from.whole(scope).await?;
    let moved = match to.take_in(scope, &record).await {
        Ok(()) => from.close(&lease, name).await,
        Err(error) => Err(error),
    };
    from.release_lease(&lease).await?;
    moved?;
    Ok(record)
}

impl Settings {
    /// The settings for the store that a record goes to: `local`, `s3://bucket/prefix`, or a folder.
    fn other_store(&self, to: &str) -> Result<Self, Failure> {
        let is_folder = to != "local" && !to.contains("://");
        let folder = if is_folder { PathBuf::from(to) } else { self.state_dir.clone() };
        let store = if is_folder { StoreSettings::Folder } else { StoreSettings::parse(to)? };
        Ok(Self { store, state_dir: folder, ..self.clone() })
    }
}
