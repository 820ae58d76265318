//! The adapters that a command works with: provider, clocks, store, as the settings ask for.

use std::sync::Arc;
use std::thread::JoinHandle;

use super::error::Failure;
use super::exit::Exit;
#[cfg(any(feature = "aws", feature = "kube"))]
use super::identities::Identity;
use super::settings::{CloudSettings, Settings, StoreSettings};
use rgctl_catalog::Catalog;
use rgctl_engine::execution::drive::Environment;
use rgctl_machine::SystemClock;
use rgctl_model::ports::archive::Archive;
use rgctl_model::ports::{Clock, Cloud};
use rgctl_model::scope::Home;
use rgctl_schema::time::Moment;
use rgctl_sim::{GENESIS, SimCloud};
use rgctl_store::journal::SqliteStore;
use rgctl_store::objects::WorldFile;

/// Everything that is not ours.
pub struct Adapters {
    /// The provider.
    pub cloud: Arc<dyn Cloud>,
    /// Its time.
    pub clock: Arc<dyn Clock>,
    /// The provider once more where it is the embedded cloud, whose time may be told how to pass.
    pub sim: Option<SimCloud>,
    /// The provider once more where it is AWS, for accounts that are named while it is worked with.
    #[cfg(feature = "aws")]
    pub aws: Option<Arc<rgctl_aws::cloud::AwsCloud>>,
    /// Time of this machine.
    pub wall: SystemClock,
    /// Record, lease, decisions.
    pub store: Box<dyn Archive>,
}

impl Adapters {
    /// Which cloud it is, in a word.
    pub const fn cloud_word(&self) -> &'static str {
        if self.sim.is_some() { "sim" } else { "aws" }
    }

    /// As the engine sees it.
    pub fn environment(&self) -> Environment<'_> {
        Environment { cloud: &*self.cloud, clock: &*self.clock, wall: &self.wall, store: &*self.store }
    }
}

impl Adapters {
    /// The provider as somebody: what is called there takes so many percent of what we allow ourselves in an account. The embedded
    /// cloud is one account, whatever is named.
    #[cfg(feature = "kube")]
    pub fn opener(&self) -> impl Fn(&Identity, u8) -> Arc<dyn Cloud> + Send + Sync + 'static {
        let cloud = Arc::clone(&self.cloud);
        #[cfg(feature = "aws")]
        let aws = self.aws.clone();
        move |identity, percent| {
            #[cfg(feature = "aws")]
            if let Some(aws) = &aws {
                return Arc::new(aws.beside(options_of(identity, aws.pool().options()), percent));
            }
            let _ = (identity, percent);
            Arc::clone(&cloud)
        }
    }
}

/// What an identity is worked as, where the environment says the rest.
#[cfg(feature = "aws")]
fn options_of(identity: &Identity, usual: &rgctl_aws::clients::AwsOptions) -> rgctl_aws::clients::AwsOptions {
    rgctl_aws::clients::AwsOptions {
        profile: identity.profile.clone().or_else(|| usual.profile.clone()),
        role_arn: identity.role.clone(),
        external_id: identity.external_id.clone(),
        account: Some(identity.id.clone()),
        endpoint_url: usual.endpoint_url.clone(),
    }
}

/// Opens everything.
pub fn open(settings: &Settings) -> Result<Adapters, Failure> {
    match &settings.cloud {
        CloudSettings::Sim => {
            let catalog = Catalog::embedded().map_err(|error| Failure::of(Exit::Error, &error))?;
            let cloud = SimCloud::open(&WorldFile::under(&settings.state_dir))?
                .with_catalog(Arc::new(catalog))
                .with_wall(Arc::new(SystemClock));
            let (clock, sim) = (Arc::new(cloud.clock()), Some(cloud.clone()));
            Ok(Adapters {
                cloud: Arc::new(cloud),
                clock,
                sim,
                #[cfg(feature = "aws")]
                aws: None,
                wall: SystemClock,
                store: store(settings)?,
            })
        }
        #[cfg(feature = "aws")]
        CloudSettings::Aws { .. } => {
            let cloud = aws_accounts(settings);
            let store = store(settings)?;
            let clock = Arc::new(SystemClock);
            let aws = Some(Arc::clone(cloud.usual()));
            Ok(Adapters { cloud: Arc::new(cloud), clock, sim: None, aws, wall: SystemClock, store })
        }
        // The settings refuse it before.
        #[cfg(not(feature = "aws"))]
        CloudSettings::Aws { .. } => Err(super::settings::SettingsError::NoAws.into()),
    }
}

/// An opening that is under way in a thread of its own.
pub struct Opening {
    /// The provider's time, which is known before the rest.
    pub now: Moment,
    /// The provider's account, likewise.
    pub home: Home,
    thread: JoinHandle<Result<Adapters, Failure>>,
}

/// Begins to open what exists already and takes a while to read: an embedded cloud. Nothing is made, and what is damaged
/// is left to an opening that says so.
pub fn begin_to_open(settings: &Settings) -> Option<Opening> {
    if settings.cloud != CloudSettings::Sim {
        return None;
    }
    let (now, home) = SimCloud::peek(&WorldFile::under(&settings.state_dir))?;
    let settings = settings.clone();
    Some(Opening { now, home, thread: std::thread::spawn(move || open(&settings)) })
}

impl Opening {
    /// Waits for the end of it.
    pub fn wait(self) -> Result<Adapters, Failure> {
        // It has said on standard error why it panicked.
        let silent = |_| Err(Failure::new(Exit::Error, "the embedded cloud cannot be opened"));
        self.thread.join().unwrap_or_else(silent)
    }
}

/// The time at which a calendar is judged: that of the provider. An embedded world that does not exist yet begins at its
/// first moment, and is not made for the question.
pub fn now(settings: &Settings) -> Moment {
    match settings.cloud {
        CloudSettings::Sim => {
            SimCloud::peek(&WorldFile::under(&settings.state_dir)).map_or(GENESIS, |(now, _)| now)
        }
        CloudSettings::Aws { .. } => SystemClock.now(),
    }
}

/// Opens the record if there is one: reading makes no folder.
pub fn store_to_read(settings: &Settings) -> Result<Option<Box<dyn Archive>>, Failure> {
    if settings.store == StoreSettings::Folder && !settings.state_dir.is_dir() {
        return Ok(None);
    }
    store(settings).map(Some)
}

/// Opens the record.
pub fn store(settings: &Settings) -> Result<Box<dyn Archive>, Failure> {
    match &settings.store {
        StoreSettings::Unnamed => Err(super::settings::SettingsError::NoStore.into()),
        StoreSettings::Folder => Ok(Box::new(SqliteStore::open(&settings.state_dir)?)),
        #[cfg(feature = "aws")]
        StoreSettings::Bucket { bucket, prefix } => {
            use rgctl_aws::s3_store::{S3Place, s3_store};
            let place = S3Place { bucket: bucket.clone(), prefix: prefix.clone() };
            let pool = Arc::clone(aws(settings).pool());
            Ok(Box::new(s3_store(pool, region_of_the_bucket()?, place)))
        }
        #[cfg(not(feature = "aws"))]
        StoreSettings::Bucket { .. } => Err(super::settings::SettingsError::NoAws.into()),
        #[cfg(feature = "kube")]
        StoreSettings::Cluster(place) => {
            Ok(Box::new(rgctl_kube::record::kube_store(place.clone(), "rgctl-cli", Arc::new(SystemClock))))
        }
        #[cfg(not(feature = "kube"))]
        StoreSettings::Cluster(_) => Err(super::settings::SettingsError::NoKube.into()),
    }
}

/// The provider with the credentials and the address that the settings name.
#[cfg(feature = "aws")]
pub fn aws(settings: &Settings) -> rgctl_aws::cloud::AwsCloud {
    rgctl_aws::cloud::AwsCloud::new(usual(settings), Arc::new(SystemClock))
}

/// The same, with the identity of its own in each region that names an account.
#[cfg(feature = "aws")]
pub fn aws_accounts(settings: &Settings) -> rgctl_aws::accounts::AwsAccounts {
    let usual = usual(settings);
    let accounts = settings.identities.0.iter();
    let accounts = accounts.map(|identity| (options_of(identity, &usual), identity.regions.clone()));
    let accounts = accounts.collect();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    rgctl_aws::accounts::AwsAccounts::new(usual, accounts, &clock)
}

#[cfg(feature = "aws")]
fn usual(settings: &Settings) -> rgctl_aws::clients::AwsOptions {
    use rgctl_aws::clients::AwsOptions;
    match &settings.cloud {
        CloudSettings::Aws { profile, role_arn, endpoint_url } => AwsOptions {
            profile: profile.clone(),
            role_arn: role_arn.clone(),
            endpoint_url: endpoint_url.clone(),
            ..AwsOptions::default()
        },
        CloudSettings::Sim => AwsOptions::default(),
    }
}

/// A bucket is asked in its own region, which its name does not tell.
#[cfg(feature = "aws")]
pub fn region_of_the_bucket() -> Result<rgctl_schema::names::RegionId, Failure> {
    let named = ["AWS_REGION", "AWS_DEFAULT_REGION"].iter().find_map(|name| std::env::var(name).ok());
    named.and_then(|code| rgctl_schema::names::RegionId::new(code).ok()).ok_or_else(|| {
        Failure::new(super::exit::Exit::BadInput, "the bucket's region is not known: set AWS_REGION to it")
    })
}
