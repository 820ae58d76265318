//! Where clients connect: host names in the forms that the services publish, and ARNs of the secrets that they keep.
//!
//! Sources: Aurora user guide, "Amazon Aurora endpoint connections" and "Connecting to Aurora Global Database"; DocumentDB guide,
//! "Understanding endpoints"; ElastiCache guide, "Finding connection endpoints"; Redshift management guide, "Configuring
//! connections"; Secrets Manager guide, "Secrets managed by other services". Of the other partitions only China's ending is known.
//!
//! **Invariant:** a name follows from its object alone, so that no move of a role among members changes it, and from no chance: the
//! embedded cloud has one account.

use rgctl_model::address::Address;
use rgctl_model::kinds::AnyAttrs;
use rgctl_model::kinds::elasticache::{ClusterMode, GroupAttrs, TransitEncryption};
use rgctl_model::observed::{Access, Authentication};
use rgctl_schema::digest::sha256_hex;
use rgctl_schema::names::Partition;
use rgctl_schema::phase::Phase;
use rgctl_schema::time::Moment;

/// Ports of serverless caches, which are not asked for: one that writes and one that only reads.
const SERVERLESS_PORTS: (u16, u16) = (6_379, 6_380);

/// The host name of an object, and the rest of how clients reach it.
type Reached = (Option<String>, Option<Box<Access>>);

/// What names are made of.
struct Names<'a> {
    address: &'a Address,
    created: Moment,
}

impl Names<'_> {
    /// Letters and digits that tell one account in one region from another one, as the services put them into names.
    fn mark(&self, what: &str, length: usize) -> String {
        let text = format!("{what} {}", self.address.region);
        let hex = sha256_hex(text.as_bytes());
        // They begin with a letter.
        format!("c{}", hex.get(..length - 1).unwrap_or(&hex))
    }

    fn is_china(&self) -> bool {
        Partition::of(&self.address.region) == Partition::AwsCn
    }

    /// What names of a partition end with.
    fn ending(&self) -> &'static str {
        if self.is_china() { "amazonaws.com.cn" } else { "amazonaws.com" }
    }

    /// `NAME.[KIND-]MARK.REGION.SERVICE.amazonaws.com`; the databases in China have region and service the other way round.
    fn by_region(&self, kind: &str, service: &str) -> String {
        let (name, region, mark) = (&self.address.name, &self.address.region, self.mark("account", 12));
        let is_turned = self.is_china() && service != "redshift";
        let place = if is_turned { format!("{service}.{region}") } else { format!("{region}.{service}") };
        format!("{name}.{kind}{mark}.{place}.{}", self.ending())
    }

    /// ARN of a secret that a service keeps: six letters at its end are the secret store's.
    fn secret(&self, name: &str) -> String {
        let region = &self.address.region;
        let (partition, end) = (Partition::of(region), self.mark(name, 6));
        format!("arn:{partition}:secretsmanager:{region}:000000000000:secret:{name}-{end}")
    }

    /// A name that the databases give their secrets: it has no name of ours in it.
    fn cluster_secret(&self) -> String {
        let made = self.created.as_millis();
        let hex = sha256_hex(format!("secret {} {made}", self.address).as_bytes());
        let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
        let uuid = [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-");
        self.secret(&format!("rds!cluster-{uuid}"))
    }

    /// A secret of somebody's own, under the name that it was given.
    fn own_secret(&self) -> Reached {
        let access = Access { secret: Some(self.secret(self.address.name.as_str())), ..Access::default() };
        (None, Some(Box::new(access)))
    }

    /// A cluster of Aurora or DocumentDB: its names are there from its first moment.
    fn cluster(&self, service: &str, managed: Option<bool>) -> Reached {
        let access = Access {
            reader: Some(self.by_region("cluster-ro-", service)),
            secret: (managed == Some(true)).then(|| self.cluster_secret()),
            ..Access::default()
        };
        (Some(self.by_region("cluster-", service)), Some(Box::new(access)))
    }

    /// A replication group: what it is called depends on shards and on encryption on the way.
    fn group(&self, attrs: &GroupAttrs) -> Reached {
        let (name, mark, place) = (&self.address.name, self.mark("cache", 6), self.address.region.short());
        let called = |encrypted: String, plain: String| {
            let encrypts = matches!(
                attrs.transit_encryption,
                Some(TransitEncryption::Preferred | TransitEncryption::Required)
            );
            let start = if encrypts { encrypted } else { plain };
            format!("{start}.{place}.cache.{}", self.ending())
        };
        let one = || {
            (
                called(format!("master.{name}.{mark}"), format!("{name}.{mark}.ng.0001")),
                called(format!("replica.{name}.{mark}"), format!("{name}-ro.{mark}.ng.0001")),
            )
        };
        let all = || called(format!("clustercfg.{name}.{mark}"), format!("{name}.{mark}.clustercfg"));
        let (endpoint, access) = match attrs.cluster_mode {
            Some(ClusterMode::Enabled) => (all(), Access { configuration: Some(all()), ..Access::default() }),
            Some(ClusterMode::Compatible) => {
                let (writer, reader) = one();
                let (writer, reader) = (Some(writer), Some(reader));
                (all(), Access { configuration: Some(all()), writer, reader, ..Access::default() })
            }
            Some(ClusterMode::Disabled) | None => {
                let (writer, reader) = one();
                (writer, Access { reader: Some(reader), ..Access::default() })
            }
        };
        (Some(endpoint), Some(Box::new(access)))
    }

    fn serverless_cache(&self) -> Reached {
        let (name, mark, place) = (&self.address.name, self.mark("cache", 6), self.address.region.short());
        let host = format!("{name}-{mark}.serverless.{place}.cache.{}", self.ending());
        let (port, reader_port) = (Some(SERVERLESS_PORTS.0), Some(SERVERLESS_PORTS.1));
        let access = Access { port, reader: Some(host.clone()), reader_port, ..Access::default() };
        (Some(host), Some(Box::new(access)))
    }

    /// A secret of a warehouse is called after it and its first user.
    fn warehouse_secret(&self, managed: Option<bool>, user: Option<&String>) -> Option<Box<Access>> {
        let user = user.filter(|_| managed == Some(true))?;
        let secret = self.secret(&format!("redshift!{}-{user}", self.address.name));
        Some(Box::new(Access { secret: Some(secret), ..Access::default() }))
    }
}

/// Where clients connect, as the service tells it at that moment.
pub fn reached(address: &Address, attrs: &AnyAttrs, phase: &Phase, created: Moment) -> Reached {
    let names = Names { address, created };
    let is_made = !matches!(phase, Phase::Creating | Phase::Absent);
    match attrs {
        AnyAttrs::AuroraCluster(attrs) => names.cluster("rds", attrs.managed_password),
        AnyAttrs::DocumentCluster(attrs) => names.cluster("docdb", attrs.managed_password),
        AnyAttrs::AuroraInstance(_) if is_made => (Some(names.by_region("", "rds")), None),
        AnyAttrs::DocumentInstance(_) if is_made => (Some(names.by_region("", "docdb")), None),
        AnyAttrs::AuroraGlobal(_) if is_made => {
            let (name, mark) = (&address.name, names.mark("global", 12));
            (Some(format!("{name}.global-{mark}.global.rds.{}", names.ending())), None)
        }
        AnyAttrs::Secret(_) => names.own_secret(),
        AnyAttrs::CacheGroup(attrs) if is_made => names.group(attrs),
        AnyAttrs::CacheServerless(_) if is_made => names.serverless_cache(),
        AnyAttrs::CacheUser(_) => {
            let authentication = Some(Authentication::Iam);
            (None, Some(Box::new(Access { authentication, ..Access::default() })))
        }
        AnyAttrs::RedshiftCluster(attrs) => {
            let secret = names.warehouse_secret(attrs.managed_password, attrs.master_username.as_ref());
            (is_made.then(|| names.by_region("", "redshift")), secret)
        }
        AnyAttrs::RedshiftNamespace(attrs) => {
            (None, names.warehouse_secret(attrs.managed_password, attrs.master_username.as_ref()))
        }
        AnyAttrs::RedshiftWorkgroup(_) if is_made => {
            // Here the account's number stands where other names have letters.
            let (name, region) = (&address.name, &address.region);
            (Some(format!("{name}.000000000000.{region}.redshift-serverless.{}", names.ending())), None)
        }
        _ => (None, None),
    }
}
