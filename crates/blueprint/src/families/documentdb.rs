//! DocumentDB: the store section.

use std::collections::BTreeMap;

use super::common::{Common, DatabaseRates, MasterSecret};
use rgctl_model::kinds::aurora::StorageKind;
use rgctl_schema::quantity::{Between, Halves};
use rgctl_schema::{choices, section};

choices! {
    /// The document database.
    pub enum DocumentEngine {
        /// DocumentDB, which speaks the MongoDB protocol.
        DocumentDb = "documentdb",
    }
}

section! {
    /// Capacity that follows the load instead of machines of a class, in DocumentDB capacity units of about 2 GiB.
    pub struct DocumentServerless {
        /// Least capacity, in steps of 0.5.
        min_dcu: Halves => "2";
        /// Most capacity, in steps of 0.5, up to 256.
        max_dcu: Halves => "64";
    }
    /// A document store: DocumentDB.
    pub struct DocumentStore {
        ..common: Common;
        /// Rates that were measured, in place of those that `rgctl capacity` assumes.
        assumptions: Option<DatabaseRates>;
        /// Which database.
        engine: DocumentEngine;
        /// Engine version; by default the newest that the catalogue lists for all regions of the blueprint.
        version: Option<String> => "5.0.0";
        /// Machine class of all members; by default derived from demand.
        class: Option<String> => "db.r6g.2xlarge";
        /// Replicas beside the writer in the primary region, up to 15; by default derived from demand.
        readers: Option<Between> => "\"1..8\"";
        /// Replicas in each secondary region, up to 16; by default what is needed to take over.
        secondary_readers: Option<Between> => "\"1..8\"";
        /// Serverless capacity in place of machines of a class.
        serverless: Option<DocumentServerless>;
        /// How storage is billed; by default the cheaper for the derived load.
        storage: Option<StorageKind>;
        /// Cluster parameters that differ from the service's defaults.
        parameters: BTreeMap<String, String>;
        /// Secret that exists with the password of the first user. By default the service makes, keeps and rotates one; a store of
        /// several regions, where the services keep none, has a secret of its own.
        master_secret: Option<MasterSecret>;
        /// Authority that signs the members' certificates; by default the region's own. A change restarts each member.
        certificate_authority: Option<String> => "rds-ca-rsa2048-g1";
        /// Whether clients must use TLS.
        tls: bool = true;
        /// Logs that are exported: `audit`, `profiler`.
        logs: Vec<String> => "[audit]";
    }
}
