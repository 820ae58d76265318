//! Aurora: the store section for MySQL and PostgreSQL.
//!
//! Every size is optional: what is not given is derived from demand.

use std::collections::BTreeMap;

use super::common::{Common, DatabaseRates, MasterSecret};
use rgctl_model::kinds::aurora::{AuroraEngine, StorageKind};
use rgctl_schema::quantity::{Between, Halves};
use rgctl_schema::section;

section! {
    /// Capacity that follows the load instead of machines of a class, in Aurora capacity units of about 2 GiB.
    pub struct AuroraServerless {
        /// Least capacity, in steps of 0.5.
        min_acu: Halves => "2";
        /// Most capacity, in steps of 0.5, up to 256.
        max_acu: Halves => "64";
    }
    /// A role that a cluster takes for what it does elsewhere.
    pub struct ClusterRole {
        /// Its ARN.
        arn: String => "arn:aws:iam::111122223333:role/load";
        /// What it is for: PostgreSQL names a feature, such as `s3Import`, `s3Export` or `Lambda`, and MySQL none.
        feature: Option<String> => "s3Import";
    }
    /// A relational store: Aurora MySQL or Aurora PostgreSQL.
    pub struct AuroraStore {
        ..common: Common;
        /// Rates that were measured, in place of those that `rgctl capacity` assumes.
        assumptions: Option<DatabaseRates>;
        /// Which database.
        engine: AuroraEngine;
        /// Engine version; by default the newest that the catalogue lists for all regions of the blueprint.
        version: Option<String> => "8.0.mysql_aurora.3.10.0";
        /// Machine class of all members; by default derived from demand.
        class: Option<String> => "db.r7g.2xlarge";
        /// Readers beside the writer in the primary region, up to 15; by default derived from demand.
        readers: Option<Between> => "\"1..8\"";
        /// Readers in each secondary region, up to 16; by default what is needed to take over.
        secondary_readers: Option<Between> => "\"1..8\"";
        /// Serverless capacity in place of machines of a class.
        serverless: Option<AuroraServerless>;
        /// How storage is billed; by default the cheaper for the derived load.
        storage: Option<StorageKind>;
        /// Cluster parameters that differ from the service's defaults.
        parameters: BTreeMap<String, String>;
        /// Name of the first database.
        database: Option<String> => "game";
        /// Secret that exists with the password of the first user. By default the service makes, keeps and rotates one; a store of
        /// several regions, where the services keep none, has a secret of its own.
        master_secret: Option<MasterSecret>;
        /// Whether database users may authenticate by IAM.
        iam_authentication: bool = true;
        /// Roles that the cluster takes for what it does elsewhere. Where any is named, others are detached; where none is, those that are
        /// attached stay.
        roles: Vec<ClusterRole>;
        /// Whether the cluster goes on with its major version past the end of standard support, for a price by the processor and hour, or
        /// is upgraded by the service then. Taken when the cluster is made, and for good; by default the service's own way, which is to go
        /// on and to pay.
        extended_support: Option<bool> => "false";
        /// Authority that signs the members' certificates; by default the region's own. A change restarts each member.
        certificate_authority: Option<String> => "rds-ca-rsa2048-g1";
        /// Logs that are exported. MySQL: `audit`, `error`, `general`, `slowquery`; PostgreSQL: `postgresql`.
        logs: Vec<String> => "[error, slowquery]";
    }
}
