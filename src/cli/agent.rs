//! `rgctl agent run` and `rgctl drift --watch`: the loop of an agent, fed from files.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::adapters::{self, Adapters};
use super::agent_accounts::Accounts;
use super::agent_args::{AgentCommand, DriftArgs, PaceArgs, RunArgs};
use super::agent_orders;
use super::agent_organ::{Means, Told, Turns};
use super::agent_texts::Language;
use super::args::OutputForm;
use super::error::Failure;
use super::exit::Exit;
use super::figures;
use super::observers::Observers;
use super::output::Output;
use super::settings::{Settings, StoreSettings};
use super::signals::{self, StopRequest};
use crate::agent::files::Change;
use crate::agent::folder::{Follower, text_of};
use crate::agent::health::Health;
use crate::agent::metrics::Metrics;
use crate::agent::observer::{Intervals, Observer};
use crate::agent::queue::Limits;
use crate::agent::serve::{Told as Listening, bind, serve};
use crate::agent::work::{Agent, Condition, Ended, News, Organ, Rhythm};
use crate::report::document::{document, format};
use crate::report::drift::{self, DriftReport};
use crate::report::words;
use rgctl_machine::SystemClock;
use rgctl_model::inbox::Request;
use rgctl_model::ports::Clock;
use rgctl_schema::names::BlueprintName;
use rgctl_schema::time::{Moment, Span};

/// How often files are looked at, in real time.
const LOOK: Span = Span::from_secs(1);
/// News that wait for the loop: it is never far behind.
const NEWS_MAX: usize = 1_024;
/// How often orders are looked for in a store that is a file.
const ORDERS_LOCAL: Span = Span::from_secs(1);

/// Does what is asked of agents.
pub async fn run(command: &AgentCommand, settings: &Settings, output: &mut Output) -> Result<(), Failure> {
    match command {
        AgentCommand::Run(args) => work(args, settings, output).await,
        AgentCommand::Pause(args) => {
            agent_orders::order(args, |blueprint| Request::Pause { blueprint }, settings, output).await
        }
        AgentCommand::Resume(args) => {
            agent_orders::order(args, |blueprint| Request::Resume { blueprint }, settings, output).await
        }
        AgentCommand::Reconcile(args) => {
            agent_orders::order(args, |blueprint| Request::Reconcile { blueprint }, settings, output).await
        }
        AgentCommand::Orders(args) => agent_orders::show(args, settings, output).await,
    }
}

/// What the loop of a command is made of.
struct Scene {
    means: Means,
    follower: Follower<Language>,
    /// What the first look at the files found.
    first: Vec<Change>,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    rhythm: Rhythm,
    limits: Limits,
}

impl Scene {
    fn new(
        files: &[PathBuf],
        regions: Option<&PathBuf>,
        pace: &PaceArgs,
        settings: &Settings,
        output: &mut Output,
    ) -> Result<Self, Failure> {
        let catalog = Arc::new(figures::catalog(settings)?);
        let bad = |why: String| Failure::new(Exit::BadInput, why);
        let regions = regions.map(PathBuf::as_path);
        let language = Language::new(catalog, regions, adapters::now(settings)).map_err(bad)?;
        let mut follower = Follower::new(files.to_vec(), language.clone()).map_err(bad)?;
        // The files say as whom each region is worked in. What cannot be read at all is said before anything is opened.
        let first = follower.look(SystemClock.since_boot())?;
        let identities = follower.shared().identities().clone();
        let adapters = adapters::open(&settings.working_as(identities.clone()))?;
        let accounts = Arc::new(Accounts::new(identities, adapters.cloud_word()));
        keep_pace(&adapters, pace, output)?;
        let observer =
            Observer::new(Arc::clone(&adapters.cloud), Arc::clone(&adapters.clock), Intervals::default());
        let observers = Observers::one(observer, Arc::clone(&adapters.clock));
        let orders = match settings.store {
            StoreSettings::Bucket { .. } | StoreSettings::Cluster(_) => Rhythm::default().orders,
            StoreSettings::Folder | StoreSettings::Unnamed => ORDERS_LOCAL,
        };
        let (texts, stop) = (follower.texts(), StopRequest::default());
        Ok(Self {
            means: Means { adapters, observers, texts, language, accounts, stop },
            follower,
            first,
            health: Arc::new(Health::new(&SystemClock)),
            metrics: Arc::new(Metrics::new(env!("CARGO_PKG_VERSION"))),
            rhythm: Rhythm { orders, ..Rhythm::default() },
            limits: Limits::default(),
        })
    }

    /// Goes round until a signal ends it, or all is judged once. A second signal leaves at once.
    async fn play(self, organ: impl FnOnce(Means) -> Turns) -> Result<Ended, Failure> {
        let Self { means, follower, first, health, metrics, rhythm, limits } = self;
        let stop = means.stop.clone();
        let sim = means.adapters.sim.clone();
        let (clock, wall) = (Arc::clone(&means.adapters.clock), SystemClock);
        let accounts = Arc::clone(&means.accounts);
        let turns = organ(means);
        let (send, news) = mpsc::channel(NEWS_MAX);
        // Beside the loop, which is busy for long at a start.
        let following = tokio::spawn(follow(follower, first, accounts, send));
        let stopping = || stop.is_made();
        let agent = Agent {
            organ: &turns as &dyn Organ,
            clock: &*clock,
            wall: &wall,
            health: &health,
            metrics: &metrics,
            stopping: &stopping,
            limits,
            rhythm,
        };
        let ended = tokio::select! {
            biased;
            () = signals::second_signal(stop.clone(), say_at_once) => Err(Failure::said(Exit::Interrupted)),
            ended = agent.run(news) => Ok(ended),
        };
        following.abort();
        if let Some(sim) = sim {
            // A world that cannot be written to any more stands by itself.
            let _ = sim.leave_pace();
        }
        ended
    }
}

/// A listener, or why there is none.
pub async fn bound(listen: SocketAddr) -> Result<TcpListener, Failure> {
    bind(listen).await.map_err(|error| {
        let mut failure = Failure::new(Exit::BadInput, format!("cannot listen on {listen}"));
        failure.causes.push(error.to_string());
        failure.hint("give another address with `--listen`, or none with `--no-listen`")
    })
}

async fn work(args: &RunArgs, settings: &Settings, output: &mut Output) -> Result<(), Failure> {
    let listener = if args.no_listen { None } else { Some(bound(args.listen).await?) };
    let mut scene = Scene::new(&args.files, args.regions.as_ref(), &args.pace, settings, output)?;
    scene.rhythm.once = args.once;
    scene.limits.floor = args.floor;
    if let Some(listener) = listener {
        let told = Listening {
            health: Arc::clone(&scene.health),
            metrics: Arc::clone(&scene.metrics),
            clock: Arc::new(SystemClock),
        };
        let address = listener.local_addr().map_or_else(|_| args.listen.to_string(), |at| at.to_string());
        tracing::info!(target: "rgctl::agent", address, "listening: /healthz, /readyz, /metrics");
        tokio::spawn(serve(listener, told));
    }
    let word = if args.apply { "acts" } else { "observes and plans; `--apply` lets it act" };
    tracing::info!(target: "rgctl::agent", version = env!("CARGO_PKG_VERSION"), "begins: {word}");
    let allow_file = args.allow_file.clone();
    let acts = args.apply;
    let ended = scene
        .play(|means| if acts { Turns::acting(means, allow_file) } else { Turns::observing(means, None) })
        .await?;
    tracing::info!(target: "rgctl::agent", turns = ended.turns, "ended");
    output.data(&summary(&ended))?;
    match (args.once, ended.is_stopped) {
        (true, true) => Err(Failure::said(Exit::Resumable)),
        (true, false) => told_by_code(&ended),
        (false, _) => Ok(()),
    }
}

/// Looks on and on, and prints a line at each change.
pub async fn watch_drift(args: &DriftArgs, settings: &Settings, output: &mut Output) -> Result<(), Failure> {
    let form = settings.output;
    if !matches!(form, OutputForm::Text | OutputForm::Json) {
        return Err(Failure::new(
            Exit::BadInput,
            "`drift --watch` writes `text`, or `json`, a document a line",
        ));
    }
    let input = &args.input;
    let scene = Scene::new(&input.files, input.regions.as_ref(), &args.pace, settings, output)?;
    let before: Mutex<BTreeMap<BlueprintName, DriftReport>> = Mutex::default();
    let told: Told = Box::new(move |report, now| {
        let mut before = before.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = drift::changes(before.get(&report.blueprint), report);
        if lines.is_empty() {
            return;
        }
        let text = match form {
            OutputForm::Json => format!("{}\n", document(format::DRIFT, &At { at: now, report })),
            _ => lines
                .iter()
                .fold(String::new(), |text, line| text + &format!("{now} {}: {line}\n", report.blueprint)),
        };
        // A reader that went away is noticed by the next signal at the latest.
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        before.insert(report.blueprint.clone(), report.clone());
    });
    scene.play(|means| Turns::observing(means, Some(told))).await.map(drop)
}

/// A report with its time.
#[derive(Serialize)]
struct At<'a> {
    at: Moment,
    #[serde(flatten)]
    report: &'a DriftReport,
}

/// On the embedded cloud time passes with real time from now on.
pub fn keep_pace(adapters: &Adapters, pace: &PaceArgs, output: &mut Output) -> Result<(), Failure> {
    let Some(sim) = &adapters.sim else { return Ok(()) };
    let kept = sim.keep_pace(pace.pace)?;
    if kept != pace.pace {
        output.say(&format!("another process keeps the pace of this world: {kept} virtual seconds a second"));
    }
    Ok(())
}

/// Looks at files now and then, beside the loop: a disk that hangs does not hold it up.
async fn follow(
    follower: Follower<Language>,
    first: Vec<Change>,
    accounts: Arc<Accounts>,
    send: mpsc::Sender<News>,
) {
    let mut identities = follower.shared().identities().clone();
    let texts = follower.texts();
    let share = move |blueprint: &str| {
        let text = text_of(&texts, blueprint);
        accounts.share_of(text.and_then(|text| text.place.primary.clone()).as_ref())
    };
    let follower = Arc::new(Mutex::new(follower));
    let clock = SystemClock;
    for news in first.into_iter().filter_map(|change| news_of(change, &share)) {
        let _ = send.send(news).await;
    }
    loop {
        let next = clock.now() + LOOK;
        let own = Arc::clone(&follower);
        let looked = tokio::task::spawn_blocking(move || {
            // A poisoned lock holds what the last look found.
            let mut own = own.lock().unwrap_or_else(PoisonError::into_inner);
            let changes = own.look(clock.since_boot());
            (changes, own.refused(), own.shared().identities().clone())
        });
        let answer = match looked.await {
            Ok((Ok(changes), refused, now)) => {
                if now != identities {
                    tracing::warn!(target: "rgctl::agent",
                        "accounts or their regions have changed: an agent that is started anew works by them");
                    identities = now;
                }
                for change in changes {
                    if let Some(news) = news_of(change, &share) {
                        let _ = send.send(news).await;
                    }
                }
                Ok(refused)
            }
            Ok((Err(error), ..)) => Err(format!("{error}: {}", error.remedy())),
            Err(_) => Err("the files could not be judged: a mistake of rgctl, please report it".to_owned()),
        };
        if send.send(News::Read(answer)).await.is_err() {
            // The loop has ended.
            return;
        }
        clock.sleep_until(next).await;
    }
}

/// What the loop hears of a change; what a person should know is said here.
fn news_of(change: Change, share: &impl Fn(&str) -> String) -> Option<News> {
    match change {
        Change::InForce { blueprint } => {
            let account = share(&blueprint);
            Some(News::Changed { key: blueprint, account })
        }
        Change::Rests { blueprint, path } => {
            tracing::warn!(target: "rgctl::agent", blueprint = &*blueprint, file = %path.display(),
                "the file is gone: nothing is deleted, the blueprint is let rest; `rgctl destroy` removes what it made");
            Some(News::Rests { key: blueprint })
        }
        Change::Refused { path, why, kept } => {
            let kept: Vec<&str> = kept.iter().map(|name| &**name).collect();
            let stays = if kept.is_empty() {
                "nothing of it is in force"
            } else {
                "its last good text stays in force"
            };
            tracing::warn!(target: "rgctl::agent", file = %path.display(), why, kept = kept.join(", "),
                "the file cannot be used: {stays}");
            None
        }
        Change::Twice { blueprint, paths } => {
            let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
            tracing::warn!(target: "rgctl::agent", blueprint = &*blueprint, files = paths.join(", "),
                "two files have this blueprint: neither changes it until one of them goes");
            None
        }
        Change::OnceAgain { blueprint } => {
            tracing::info!(target: "rgctl::agent", blueprint = &*blueprint, "one file has this blueprint again");
            None
        }
    }
}

/// How it ended, for people.
pub fn summary(ended: &Ended) -> String {
    let all: usize = ended.conditions.values().sum();
    let told: Vec<String> =
        ended.conditions.iter().map(|(condition, count)| format!("{count} {}", condition.as_str())).collect();
    let turns = words::count(usize::try_from(ended.turns).unwrap_or(usize::MAX), "turn", "turns");
    let of = if told.is_empty() { String::new() } else { format!(": {}", told.join(", ")) };
    format!("{}{of}; {turns}\n", words::count(all, "blueprint", "blueprints"))
}

/// What is left after all were judged once.
fn told_by_code(ended: &Ended) -> Result<(), Failure> {
    let has = |conditions: &[Condition]| conditions.iter().any(|one| ended.conditions.contains_key(one));
    if has(&[Condition::Blocked, Condition::Failed, Condition::New]) {
        return Err(Failure::said(Exit::Blocked));
    }
    if has(&[Condition::Held]) {
        return Err(Failure::said(Exit::Held));
    }
    if has(&[Condition::Pending, Condition::Progressing]) {
        return Err(Failure::said(Exit::Differences));
    }
    Ok(())
}

/// Says something while others write.
pub fn say_at_once(line: &str) {
    // Talk that nobody hears is no error.
    let _ = writeln!(std::io::stderr(), "{line}");
}
