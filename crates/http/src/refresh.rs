//! The refresh: index of services, index of regions, offer files, book.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Client;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::RefreshError;
use super::download::{DownloadError, DownloadEvent, DownloadLimits, discard, download, fetch_small};
use super::part::{PartError, read_part};
use super::store::{BOOK_FILE, load_book, lock, make_dir, read_book, write_book};
use rgctl_catalog::{AsOf, LayerKind, OfferRecord, PriceLayer, RefreshedBook, service_of_offer};
use rgctl_schema::money::Currency;
use rgctl_schema::names::{Partition, RegionId};
use rgctl_schema::time::{Moment, Span};

/// The folder, inside that of the book, for what is not yet a book.
const WORK_DIR: &str = "refresh";
/// The largest index allowed; the real ones have a few hundred kilobytes.
const INDEX_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// How long to wait for a connection.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(20);
/// How long to wait for the next bytes.
const IDLE_TIME_MAX: Duration = Duration::from_mins(1);
/// More redirects than this are a loop.
const REDIRECTS_MAX: usize = 3;

/// The hosts of the price list, without a slash at the end. Those of the provider are the default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceListHosts {
    /// Of partition `aws`.
    pub aws: String,
    /// Of partition `aws-cn`.
    pub aws_cn: String,
}

impl Default for PriceListHosts {
    fn default() -> Self {
        Self {
            aws: "https://pricing.us-east-1.amazonaws.com".to_owned(),
            aws_cn: "https://pricing.cn-north-1.amazonaws.com.cn".to_owned(),
        }
    }
}

impl PriceListHosts {
    /// Host and root folder of a partition; nothing for one whose price list is not known here.
    fn of(&self, partition: Partition) -> Option<(&str, &'static str)> {
        Some(match partition {
            Partition::Aws => (self.aws.trim_end_matches('/'), "/offers/v1.0/aws"),
            Partition::AwsCn => (self.aws_cn.trim_end_matches('/'), "/offers/v1.0/cn"),
            Partition::AwsUsGov
            | Partition::AwsEusc
            | Partition::AwsIso
            | Partition::AwsIsoB
            | Partition::AwsIsoE
            | Partition::AwsIsoF => return None,
        })
    }
}

/// A region whose prices are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedRegion {
    /// Its code, which tells its partition.
    pub code: RegionId,
    /// The currency of its bills.
    pub currency: Currency,
}

/// What to refresh, where to, and within which bounds.
#[derive(Clone, Debug)]
pub struct RefreshOptions {
    /// The folder of the book.
    pub dir: PathBuf,
    /// Whence.
    pub hosts: PriceListHosts,
    /// Which regions.
    pub regions: Vec<WantedRegion>,
    /// Which offers, by their codes in the price list.
    pub offers: Vec<String>,
    /// The largest offer file allowed. The largest real one, RDS of us-east-1, is known to have some 100 megabytes.
    pub bytes_max: u64,
    /// How often each file is tried.
    pub attempts_max: u32,
    /// The pause before the second attempt; it doubles with each further one.
    pub backoff: Span,
    /// How long the whole run may take.
    pub time_max: Span,
}

impl RefreshOptions {
    /// A refresh into `dir` with the usual hosts and bounds.
    pub fn new(dir: PathBuf, regions: Vec<WantedRegion>, offers: Vec<String>) -> Self {
        Self {
            dir,
            hosts: PriceListHosts::default(),
            regions,
            offers,
            bytes_max: 2 * 1024 * 1024 * 1024,
            attempts_max: 5,
            backoff: Span::from_secs(1),
            time_max: Span::from_mins(60),
        }
    }
}

/// Which file of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName {
    /// The region.
    pub region: RegionId,
    /// The code of the offer.
    pub offer: String,
}

impl FileName {
    fn partition(&self) -> Partition {
        Partition::of(&self.region)
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.offer, self.region)
    }
}

/// What happens in a refresh, for whoever watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefreshEvent {
    /// The list has no such offer or no such region in it.
    NotOffered(FileName),
    /// The current version of a file was read before.
    Reused(FileName),
    /// A file is coming; `from` bytes of it were there.
    Started {
        /// The file.
        file: FileName,
        /// Bytes that were there.
        from: u64,
        /// Its length, if the server tells.
        total: Option<u64>,
    },
    /// So many bytes of it are there.
    Bytes(u64),
    /// An attempt failed, another follows.
    Again {
        /// The file.
        file: FileName,
        /// Why it failed.
        reason: String,
    },
    /// A file is whole and read.
    Done {
        /// The file.
        file: FileName,
        /// How many prices it gave.
        prices: usize,
        /// Prices that were not taken, and why.
        left_out: Vec<String>,
    },
    /// A file cannot be had.
    Failed(FileName),
    /// The earlier book cannot be read and is replaced as a whole.
    EarlierBookUnreadable(String),
}

/// What a refresh did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshReport {
    /// The file of the book.
    pub path: PathBuf,
    /// How many prices it holds.
    pub prices: usize,
    /// How many of them were carried over from the earlier book, for offers and regions not asked for.
    pub kept: usize,
    /// Prices that differ from the earlier book's, appear anew or have gone: of the files read now.
    pub changed: usize,
    /// Which files were not on offer.
    pub not_offered: Vec<FileName>,
}

/// Refreshes the book of a folder. `now` dates the prices.
pub async fn refresh(
    options: &RefreshOptions,
    now: Moment,
    watch: &mut (dyn FnMut(RefreshEvent) + Send),
) -> Result<RefreshReport, RefreshError> {
    let time_max = Duration::from_millis(options.time_max.as_millis());
    let minutes = options.time_max.as_mins();
    tokio::time::timeout(time_max, run(options, now, watch))
        .await
        .map_err(|_| RefreshError::Time { minutes })?
}

async fn run(
    options: &RefreshOptions,
    now: Moment,
    watch: &mut (dyn FnMut(RefreshEvent) + Send),
) -> Result<RefreshReport, RefreshError> {
    let work = options.dir.join(WORK_DIR);
    make_dir(&work)?;
    let _lock = lock(&work)?;
    let client = client()?;
    let mut list = List { client: &client, options, services: BTreeMap::new(), regions: BTreeMap::new() };
    let (mut books, mut not_offered, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for region in &options.regions {
        for offer in &options.offers {
            let file = FileName { region: region.code.clone(), offer: offer.clone() };
            match list.book(&file, region.currency, &work, now, watch).await {
                Ok(Some(book)) => books.push(book),
                Ok(None) => {
                    watch(RefreshEvent::NotOffered(file.clone()));
                    not_offered.push(file);
                }
                Err(error) => {
                    watch(RefreshEvent::Failed(file));
                    failed.push(error);
                }
            }
        }
    }
    if !failed.is_empty() {
        return Err(RefreshError::Incomplete { done: books.len(), failed });
    }
    if books.is_empty() {
        return Err(RefreshError::Nothing);
    }
    finish(options, now, books, not_offered, watch)
}

/// Puts the files together, lays them over the earlier book and replaces it.
fn finish(
    options: &RefreshOptions,
    now: Moment,
    books: Vec<RefreshedBook>,
    not_offered: Vec<FileName>,
    watch: &mut (dyn FnMut(RefreshEvent) + Send),
) -> Result<RefreshReport, RefreshError> {
    let layer = PriceLayer::new(LayerKind::Refreshed);
    let mut all = RefreshedBook { created: now, offers: Vec::new(), layer };
    for book in books {
        all.offers.extend(book.offers);
        all.layer.prices.extend(book.layer.prices);
    }
    let read = all.layer.prices.len();
    let earlier = match load_book(&options.dir) {
        Ok(book) => book,
        Err(error @ RefreshError::Book { .. }) => {
            watch(RefreshEvent::EarlierBookUnreadable(error.to_string()));
            None
        }
        Err(error) => return Err(error),
    };
    let mut changed = read;
    if let Some(earlier) = earlier {
        all.keep_rest_of(&earlier, |offer| service_of_offer(offer).map(str::to_owned));
        let before = &earlier.layer.prices;
        let is_new = |(key, price): &(_, &rgctl_catalog::KnownPrice)| {
            before.get(*key).is_none_or(|old| old.money != price.money)
        };
        let gone = before.keys().filter(|key| !all.layer.prices.contains_key(*key)).count();
        changed = all.layer.prices.iter().filter(is_new).count() + gone;
    }
    let path = options.dir.join(BOOK_FILE);
    write_book(&path, &all)?;
    let prices = all.layer.prices.len();
    Ok(RefreshReport { path, prices, kept: prices - read, changed, not_offered })
}

fn client() -> Result<Client, RefreshError> {
    // The process's provider of cryptography, which the client brings none of itself. That there is one already is fine.
    rustls::crypto::ring::default_provider().install_default().ok();
    Client::builder()
        // A packed answer has no byte ranges of the file that it stands for.
        .no_gzip()
        .connect_timeout(CONNECT_TIME_MAX)
        .read_timeout(IDLE_TIME_MAX)
        .redirect(reqwest::redirect::Policy::limited(REDIRECTS_MAX))
        .user_agent(concat!("rgctl/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| RefreshError::Client(error.to_string()))
}

#[derive(Deserialize)]
struct ServiceIndex {
    offers: BTreeMap<String, ServiceEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServiceEntry {
    current_region_index_url: Option<String>,
}

#[derive(Deserialize)]
struct RegionIndex {
    regions: BTreeMap<String, RegionEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RegionEntry {
    current_version_url: String,
}

/// The price list, with the indexes that were read already.
struct List<'l> {
    client: &'l Client,
    options: &'l RefreshOptions,
    services: BTreeMap<Partition, ServiceIndex>,
    regions: BTreeMap<(Partition, String), RegionIndex>,
}

impl List<'_> {
    /// The prices of one file; none where the list does not have it.
    async fn book(
        &mut self,
        file: &FileName,
        currency: Currency,
        work: &Path,
        now: Moment,
        watch: &mut (dyn FnMut(RefreshEvent) + Send),
    ) -> Result<Option<RefreshedBook>, RefreshError> {
        let Some((host, path)) = self.locate(file).await? else { return Ok(None) };
        let name = format!("{}-{}-{}", file.partition(), file.offer, file.region);
        let kept = work.join(format!("{name}.book"));
        // A kept file that cannot be read is fetched again.
        if let Ok(Some(mut book)) = read_book(&kept)
            && book.offers.iter().all(|offer| offer.path == path)
        {
            // The index names the same version today, so the provider shows the same prices today.
            for price in book.layer.prices.values_mut() {
                price.as_of = AsOf::of(now);
            }
            watch(RefreshEvent::Reused(file.clone()));
            return Ok(Some(book));
        }
        let url = format!("{host}{path}");
        let part = work.join(format!("{name}.part"));
        let bytes = self.fetch(file, &url, &part, watch).await?;
        let (offer, sha256) = read_part(&part, file, currency, now).await.map_err(|error| match error {
            PartError::Offer(source) => RefreshError::Offer { url: url.clone(), source },
            PartError::File(source) => {
                RefreshError::File { action: "cannot read", path: part.clone(), source }
            }
        })?;
        let record = OfferRecord {
            partition: file.partition().to_string(),
            offer: file.offer.clone(),
            region: file.region.to_string(),
            path,
            published: offer.published,
            bytes,
            sha256,
            prices: offer.prices.len(),
        };
        let layer = PriceLayer { kind: LayerKind::Refreshed, prices: offer.prices };
        let book = RefreshedBook { created: now, offers: vec![record], layer };
        write_book(&kept, &book)?;
        discard(&part).map_err(|source| RefreshError::File {
            action: "cannot remove",
            path: part,
            source,
        })?;
        let prices = book.layer.prices.len();
        watch(RefreshEvent::Done { file: file.clone(), prices, left_out: offer.left_out });
        Ok(Some(book))
    }

    /// Host and path of the current version of a file.
    async fn locate(&mut self, file: &FileName) -> Result<Option<(String, String)>, RefreshError> {
        // What nobody tells is not in the list, and said to be missing.
        let Some((host, root)) = self.options.hosts.of(file.partition()) else { return Ok(None) };
        if !self.services.contains_key(&file.partition()) {
            let index = self.index(host, &format!("{root}/index.json")).await?;
            self.services.insert(file.partition(), index);
        }
        let services = self.services.get(&file.partition());
        let entry = services.and_then(|index| index.offers.get(&file.offer));
        let Some(regions_path) = entry.and_then(|entry| entry.current_region_index_url.clone()) else {
            return Ok(None);
        };
        let place = (file.partition(), file.offer.clone());
        if !self.regions.contains_key(&place) {
            let index = self.index(host, &regions_path).await?;
            self.regions.insert(place.clone(), index);
        }
        let regions = self.regions.get(&place);
        let entry = regions.and_then(|index| index.regions.get(file.region.as_str()));
        let Some(path) = entry.map(|entry| entry.current_version_url.clone()) else { return Ok(None) };
        Ok(Some((host.to_owned(), local(&path)?)))
    }

    async fn index<T: DeserializeOwned>(&self, host: &str, path: &str) -> Result<T, RefreshError> {
        let url = format!("{host}{}", local(path)?);
        let failed = |source| RefreshError::Download { url: url.clone(), source };
        let bounds = DownloadLimits { bytes_max: INDEX_BYTES_MAX, ..self.bounds() };
        let bytes = fetch_small(self.client, &url, bounds).await.map_err(failed)?;
        serde_json::from_slice(&bytes).map_err(|error| failed(DownloadError::Index(error.to_string())))
    }

    async fn fetch(
        &self,
        file: &FileName,
        url: &str,
        part: &Path,
        watch: &mut (dyn FnMut(RefreshEvent) + Send),
    ) -> Result<u64, RefreshError> {
        let mut tell = |news: DownloadEvent<'_>| {
            watch(match news {
                DownloadEvent::Started { from, total } => {
                    RefreshEvent::Started { file: file.clone(), from, total }
                }
                DownloadEvent::Bytes(bytes) => RefreshEvent::Bytes(bytes),
                DownloadEvent::Again { reason } => {
                    RefreshEvent::Again { file: file.clone(), reason: reason.to_string() }
                }
            });
        };
        let fetched = download(self.client, url, part, self.bounds(), &mut tell).await;
        fetched.map_err(|source| RefreshError::Download { url: url.to_owned(), source })
    }

    fn bounds(&self) -> DownloadLimits {
        DownloadLimits {
            bytes_max: self.options.bytes_max,
            attempts_max: self.options.attempts_max.max(1),
            backoff: Duration::from_millis(self.options.backoff.as_millis()),
        }
    }
}

/// A path on the host that names it: an index must not send us elsewhere.
fn local(path: &str) -> Result<String, RefreshError> {
    let is_local =
        path.starts_with('/') && !path.starts_with("//") && !path.contains("..") && !path.contains('@');
    if is_local { Ok(path.to_owned()) } else { Err(RefreshError::Address { path: path.to_owned() }) }
}
