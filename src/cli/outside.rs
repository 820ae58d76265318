//! The outside that a command works on: provider, clocks, store, as the settings ask for.

use super::error::Failure;
use super::settings::{CloudSettings, Settings, StoreSettings};
use crate::adapters::files::journal::SqliteStore;
use crate::adapters::machine::SystemClock;
use crate::adapters::sim::SimCloud;
use crate::execution::drive::World;
use crate::seams::{Clock, Cloud, Store};

/// Everything that is not ours.
pub struct Outside {
    /// The provider.
    pub cloud: Box<dyn Cloud>,
    /// Its time.
    pub clock: Box<dyn Clock>,
    /// Time of this machine.
    pub wall: SystemClock,
    /// Record, lease, overlays.
    pub store: Box<dyn Store>,
}

impl Outside {
    /// As the engine sees it.
    pub fn world(&self) -> World<'_> {
        World { cloud: &*self.cloud, clock: &*self.clock, wall: &self.wall, store: &*self.store }
    }
}

/// Opens everything.
pub fn open(settings: &Settings) -> Result<Outside, Failure> {
    match &settings.cloud {
        CloudSettings::Sim => {
            let cloud = SimCloud::open(&settings.state_dir)?;
            let clock = Box::new(cloud.clock());
            Ok(Outside { cloud: Box::new(cloud), clock, wall: SystemClock, store: store(settings)? })
        }
        CloudSettings::Aws { .. } => {
            Err(Failure::new(super::exit::Exit::BadInput, "AWS comes with the AWS adapter"))
        }
    }
}

/// Opens the record if there is one: reading makes no folder.
pub fn store_to_read(settings: &Settings) -> Result<Option<Box<dyn Store>>, Failure> {
    if settings.store == StoreSettings::Folder && !settings.state_dir.is_dir() {
        return Ok(None);
    }
    store(settings).map(Some)
}

/// Opens the record.
pub fn store(settings: &Settings) -> Result<Box<dyn Store>, Failure> {
    match &settings.store {
        StoreSettings::Folder => Ok(Box::new(SqliteStore::open(&settings.state_dir)?)),
        StoreSettings::Bucket { .. } => {
            Err(Failure::new(super::exit::Exit::BadInput, "records in a bucket come with the AWS adapter"))
        }
    }
}
