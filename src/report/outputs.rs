//! Where clients connect: of each store in each region the host names, ports, names and the ARN of its secret, as they are seen.
//!
//! Goes in: what is wanted, what was seen, what the plan says is not ours. Comes out: one entry a store and region.
//!
//! **Invariant:** what is told is what a service tells; nothing is put together from names. What is not known is said, with why.
//! **Invariant:** who writes is told of a region only where it is certain that it follows no other.
//! **Invariant:** no secret is in here, nor was one ever read: the ARN says where it is.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use serde::{Serialize, Serializer};

use crate::report::outputs_families;
use crate::report::style::{Style, Tone};
use rgctl_model::address::Address;
use rgctl_model::node::Desired;
use rgctl_model::observed::{Inventory, Member, Observed};
use rgctl_model::plan::{Blocker, Plan};
use rgctl_schema::names::{BlueprintName, Name, Partition, RegionId, StoreName};
use rgctl_schema::phase::{Phase, Role};
use rgctl_schema::time::Moment;

/// A host name with its port, where that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The host name.
    pub host: String,
    /// The port.
    pub port: Option<u16>,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => f.write_str(&self.host),
        }
    }
}

impl Serialize for Endpoint {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// Whether connections are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tls {
    /// Others are refused.
    Required,
    /// Those that are asked for are; whether others are refused is the engine's default.
    Available,
    /// They cannot be.
    Off,
    /// It was not told.
    Unknown,
}

impl Tls {
    /// In a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Available => "available",
            Self::Off => "off",
            Self::Unknown => "unknown",
        }
    }
}

/// What is known of how clients reach a store in a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Known {
    /// It was seen, and clients have where to connect.
    Seen,
    /// It was seen, and serves nobody: the service tells no endpoint yet, or it is being made, stopped, broken or going away.
    NotYet,
    /// It does not exist.
    Absent,
    /// It, or whether it follows another region, could not be seen.
    Unseen,
    /// Its region is held out.
    HeldOut,
    /// Something that is not ours stands in its place.
    NotOurs,
}

/// How clients reach a store in a region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoreOutputs {
    /// The store.
    pub store: StoreName,
    /// The region.
    pub region: RegionId,
    /// What is known.
    pub known: Known,
    /// Why nothing is, where nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Its state, where it is not ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// What speaks to clients, as blueprints call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// Of a store that spans regions: whether this region is the one that writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'static str>,
    /// Where writes go; of a region that only follows there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub writer: Option<Endpoint>,
    /// Which member writes now, where the service tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub writing_member: Option<Name>,
    /// Where is only read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reader: Option<Endpoint>,
    /// Where clients that know of shards learn of all nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configuration: Option<Endpoint>,
    /// Where writes go in whichever region writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub global: Option<Endpoint>,
    /// Port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Whether connections are encrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// Name of the first database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// Names of users.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<String>,
    /// By what users prove who they are: `password`, `iam`, `no-password`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub authentication: Vec<&'static str>,
    /// ARN of the secret with the first user's password. It is never read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Names of those of these fields that could not be seen: they may have a value.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_seen: Vec<&'static str>,
}

/// How clients reach the stores of a blueprint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OutputsReport {
    /// Whose.
    pub blueprint: BlueprintName,
    /// When it was looked at.
    pub taken: Moment,
    /// Stores by region.
    pub stores: Vec<StoreOutputs>,
}

impl OutputsReport {
    /// Whether something could not be seen, or is not ours: a person is needed to know more.
    pub fn needs_person(&self) -> bool {
        let blind = |one: &StoreOutputs| matches!(one.known, Known::Unseen | Known::HeldOut | Known::NotOurs);
        self.stores.iter().any(blind)
    }

    /// Whether clients have where to connect in every store and region.
    pub fn is_complete(&self) -> bool {
        self.stores.iter().all(|one| one.known == Known::Seen)
    }
}

/// Where clients connect, as it was seen.
pub fn report(desired: &Desired, inventory: &Inventory, plan: &Plan) -> OutputsReport {
    let memberships = memberships(inventory);
    let roots = desired.nodes.values().filter(|node| outputs_families::is_connected_to(node.address.kind));
    let stores = roots.map(|node| {
        let address = &node.address;
        let blank = StoreOutputs::of(&node.store, &address.region);
        let not = |known, why: String| StoreOutputs { known, why: Some(why), ..blank.clone() };
        if let Some(hold) = inventory.hold_on(address) {
            return not(Known::HeldOut, hold.to_string());
        }
        match inventory.seen.get(address).filter(|seen| seen.facts.phase != Phase::Absent) {
            Some(_) if is_foreign(plan, address) => {
                not(Known::NotOurs, format!("{} is there and not ours", address.name))
            }
            Some(seen) => {
                let found = memberships.get(address);
                match found.is_none().then(|| hidden_global(inventory, address, seen)).flatten() {
                    Some(why) => not(Known::Unseen, why),
                    None => seen_store(blank.clone(), inventory, address, seen, found),
                }
            }
            None => match inventory.gaps_around(address).next() {
                Some(gap) => not(Known::Unseen, gap.why.clone()),
                None => not(Known::Absent, "it does not exist".to_owned()),
            },
        }
    });
    let mut stores: Vec<StoreOutputs> = stores.collect();
    stores.sort_by(|a, b| (&a.store, &a.region).cmp(&(&b.store, &b.region)));
    OutputsReport { blueprint: desired.blueprint.clone(), taken: inventory.taken, stores }
}

fn is_foreign(plan: &Plan, address: &Address) -> bool {
    plan.waiting
        .iter()
        .any(|one| matches!(one, Blocker::Foreign { address: foreign, .. } if foreign == address))
}

/// What a member of a global object is in it, and where that writes, whichever region does.
struct Membership {
    role: Role,
    global: Option<String>,
}

fn memberships(inventory: &Inventory) -> BTreeMap<Address, Membership> {
    let globals = inventory.seen.iter().filter(|(address, _)| address.kind.facts().is_global);
    let members = globals.flat_map(|(address, seen)| {
        let kind = address.kind.member_kind();
        seen.facts.members.iter().filter_map(move |member| {
            let at = Address::new(member.region.clone(), kind?, member.name.clone());
            Some((at, Membership { role: member.role, global: seen.facts.endpoint.clone() }))
        })
    });
    members.collect()
}

/// Why it is not known whether a cluster or a group, which no global object that was seen has as a member, follows another
/// region; nothing where it certainly does not.
fn hidden_global(inventory: &Inventory, address: &Address, seen: &Observed) -> Option<String> {
    let (kind, partition) = (address.kind.global_kind()?, Partition::of(&address.region));
    let is_near = |region: &RegionId| Partition::of(region) == partition;
    let told = seen.attrs.joins();
    let is =
        |at: &Address| at.kind == kind && told.as_deref() == Some(at.name.as_str()) && is_near(&at.region);
    if !inventory.seen.keys().any(is) {
        // Its own region lists every global object that it is in; of one that the service names, another region may tell, too.
        let endpoint = kind.facts().endpoint;
        let mut gaps = inventory.gaps.iter().filter(|gap| gap.endpoint == endpoint);
        let gap = gaps.find(|gap| gap.region == address.region || told.is_some() && is_near(&gap.region));
        let mut held = inventory.held_out.iter().filter(|(region, _)| told.is_some() && is_near(region));
        let why = gap.map(|gap| gap.why.clone()).or_else(|| held.next().map(|(_, hold)| hold.to_string()));
        if let Some(why) = why {
            return Some(format!("whether it follows another region was not seen: {why}"));
        }
    }
    told.map(|name| format!("it is in the global object {name}, which does not tell of it"))
}

/// Why nobody is served by what was seen; nothing where clients are, or may be.
fn serves_nobody(inventory: &Inventory, address: &Address, seen: &Observed) -> Option<String> {
    let is_out = |phase: &Phase| match phase {
        Phase::Absent | Phase::Creating | Phase::Stopped | Phase::Deleting | Phase::Failed(_) => true,
        Phase::Ready | Phase::Busy { .. } | Phase::Unknown(_) => false,
    };
    let facts = &seen.facts;
    if is_out(&facts.phase) {
        return Some(format!("it is {}", facts.phase));
    }
    let kind = address.kind.child_kind()?;
    if facts.members.is_empty() {
        return Some("it has no member".to_owned());
    }
    let state = |member: &Member| {
        let at = Address::new(member.region.clone(), kind, member.name.clone());
        let phase = &inventory.seen.get(&at)?.facts.phase;
        is_out(phase).then(|| format!("{} is {phase}", member.name))
    };
    // A member that was not seen may serve.
    let states: Option<Vec<String>> = facts.members.iter().map(state).collect();
    states.map(|states| format!("no member of it serves: {}", states.join(", ")))
}

fn seen_store(
    blank: StoreOutputs,
    inventory: &Inventory,
    address: &Address,
    seen: &Observed,
    membership: Option<&Membership>,
) -> StoreOutputs {
    let facts = &seen.facts;
    let access = facts.access.as_deref().cloned().unwrap_or_default();
    let port = access.port.or_else(|| {
        let port = seen.attrs.get("port").and_then(|port| port.as_u64());
        port.and_then(|port| u16::try_from(port).ok())
    });
    let at = |host: Option<&String>| host.map(|host| Endpoint { host: host.clone(), port });
    let follows = membership.is_some_and(|one| one.role != Role::Writer);
    let named = if access.configuration.is_some() { access.writer.as_ref() } else { facts.endpoint.as_ref() };
    let writer = at(named.filter(|_| !follows));
    let reader =
        access.reader.as_ref().map(|host| Endpoint { host: host.clone(), port: access.reader_port.or(port) });
    let configuration = at(access.configuration.as_ref());
    let has_any = writer.is_some() || reader.is_some() || configuration.is_some();
    let writing = facts.members.iter().find(|member| member.role == Role::Writer && !follows);
    let untold = (!has_any).then(|| format!("the service tells no endpoint yet ({})", facts.phase));
    let why = untold.or_else(|| serves_nobody(inventory, address, seen));
    let told = StoreOutputs {
        known: if why.is_none() { Known::Seen } else { Known::NotYet },
        why,
        state: (!facts.phase.is_ready()).then(|| facts.phase.to_string()),
        role: membership.map(|one| if one.role == Role::Writer { "primary" } else { "secondary" }),
        writer,
        writing_member: writing.map(|member| member.name.clone()),
        reader,
        configuration,
        global: at(membership.and_then(|one| one.global.as_ref())),
        port,
        ..blank
    };
    outputs_families::described(told, inventory, address, seen, &access)
}

impl StoreOutputs {
    /// Nothing is known of a store in a region.
    pub fn of(store: &StoreName, region: &RegionId) -> Self {
        Self {
            store: store.clone(),
            region: region.clone(),
            known: Known::Unseen,
            why: None,
            state: None,
            engine: None,
            role: None,
            writer: None,
            writing_member: None,
            reader: None,
            configuration: None,
            global: None,
            port: None,
            tls: None,
            database: None,
            users: Vec::new(),
            authentication: Vec::new(),
            secret: None,
            not_seen: Vec::new(),
        }
    }

    /// Every field that is known, by its name, as one text.
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        let at = |end: &Option<Endpoint>| end.as_ref().map(ToString::to_string);
        let list = |all: &[&str]| (!all.is_empty()).then(|| all.join(","));
        let users: Vec<&str> = self.users.iter().map(String::as_str).collect();
        let all = [
            ("state", self.state.clone()),
            ("engine", self.engine.clone()),
            ("role", self.role.map(str::to_owned)),
            ("writer", at(&self.writer)),
            ("writing-member", self.writing_member.as_ref().map(ToString::to_string)),
            ("reader", at(&self.reader)),
            ("configuration", at(&self.configuration)),
            ("global", at(&self.global)),
            ("port", self.port.map(|port| port.to_string())),
            ("tls", self.tls.map(|tls| tls.as_str().to_owned())),
            ("database", self.database.clone()),
            ("users", list(&users)),
            ("authentication", list(&self.authentication)),
            ("secret", self.secret.clone()),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    fn heading(&self) -> String {
        let about: Vec<&str> = self.engine.as_deref().into_iter().chain(self.role).collect();
        let about = if about.is_empty() { String::new() } else { format!(" ({})", about.join(", ")) };
        let why = self.why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
        let known = match self.known {
            Known::Seen | Known::NotYet | Known::Absent | Known::NotOurs => String::new(),
            Known::Unseen => ": unknown, it could not be seen".to_owned(),
            Known::HeldOut => ": unknown".to_owned(),
        };
        format!("{} in {}{about}{known}{why}", self.store, self.region)
    }

    /// What people read of it, by line.
    fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = self.fields();
        lines.retain(|(name, _)| !["engine", "role", "port"].contains(name));
        let is_password = self.known == Known::Seen && self.authentication.contains(&"password");
        if self.role == Some("secondary") {
            lines.insert(0, ("writer", "none here: the primary region writes".to_owned()));
            if is_password && self.secret.is_none() {
                lines.push(("secret", "that of the primary region, with its users".to_owned()));
            }
        } else if is_password && self.secret.is_none() && !self.not_seen.contains(&"secret") {
            lines.push(("secret", "none that the service keeps: the password is kept elsewhere".to_owned()));
        }
        for name in &self.not_seen {
            if !lines.iter().any(|(other, _)| other == name) {
                lines.push((name, "not seen".to_owned()));
            }
        }
        lines
    }
}

/// For people.
pub fn text(report: &OutputsReport, style: Style) -> String {
    let mut out = String::new();
    let title = format!("{} at {}", report.blueprint, report.taken);
    let _ = writeln!(out, "{}", style.paint(Tone::Strong, &title));
    if report.stores.is_empty() {
        let _ = writeln!(out, "no store that clients connect to");
    }
    for store in &report.stores {
        let tone = if store.known == Known::Seen { Tone::Strong } else { Tone::Bad };
        let _ = writeln!(out, "\n{}", style.paint(tone, &store.heading()));
        for (name, value) in store.lines() {
            let _ = writeln!(out, "  {name:<15} {value}");
        }
    }
    out
}

/// For a pull request or a page.
pub fn markdown(report: &OutputsReport) -> String {
    let mut out = format!("## `{}` at {}\n", report.blueprint, report.taken);
    for store in &report.stores {
        let _ = writeln!(out, "\n### {}\n", store.heading());
        let lines = store.lines();
        if !lines.is_empty() {
            let _ = writeln!(out, "| | |\n| --- | --- |");
        }
        for (name, value) in lines {
            let _ = writeln!(out, "| {name} | `{value}` |");
        }
    }
    out
}
