//! One file over HTTP, to disk, going on where an earlier attempt stopped.
//!
//! Goes in: an address and the path of a partial file. Comes out: the whole file at that path.
//!
//! **Invariant:** bytes of two versions of a file never meet: they are appended only when the server confirms the strong
//! `ETag` under which the earlier bytes came, and begin anew otherwise.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::{CONTENT_RANGE, ETAG, HeaderMap, IF_RANGE, RANGE};
use reqwest::{Client, Response, StatusCode};
use serde::{Deserialize, Serialize};

use rgctl_machine::inputs;

/// Notes about a partial file are an address, a tag and a number.
const NOTES_BYTES_MAX: u64 = 16 << 10;
/// The longest pause between two attempts.
const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// Why a file could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The server says no.
    #[error("the server answered {0}")]
    Status(u16),
    /// No connection, or it broke, or nothing came for too long.
    #[error("the connection failed: {0}")]
    Connection(String),
    /// Fewer bytes came than were promised.
    #[error("only {got} of {promised} bytes came")]
    Cut {
        /// Bytes that came.
        got: u64,
        /// Bytes promised.
        promised: u64,
    },
    /// What came does not continue what is there.
    #[error("the file changed while it was fetched")]
    Changed,
    /// More bytes than allowed.
    #[error("it is larger than the {bytes_max} bytes allowed")]
    TooBig {
        /// The bound.
        bytes_max: u64,
    },
    /// It cannot be kept on disk.
    #[error("it cannot be written to disk")]
    Disk(#[from] std::io::Error),
    /// It is not the JSON that was expected.
    #[error("it is not the index expected: {0}")]
    Index(String),
}

impl DownloadError {
    /// Whether another attempt may succeed.
    const fn is_passing(&self) -> bool {
        match self {
            Self::Status(status) => *status == 408 || *status == 429 || *status >= 500,
            Self::Connection(_) | Self::Cut { .. } | Self::Changed => true,
            Self::TooBig { .. } | Self::Disk(_) | Self::Index(_) => false,
        }
    }
}

/// Bounds of a download.
#[derive(Clone, Copy, Debug)]
pub(super) struct DownloadLimits {
    pub bytes_max: u64,
    pub attempts_max: u32,
    pub backoff: Duration,
}

/// What is known of the bytes on disk, kept beside them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Part {
    url: String,
    etag: Option<String>,
    total: Option<u64>,
}

/// What happens to a download.
pub(super) enum DownloadEvent<'n> {
    /// Bytes come, after this many that were there.
    Started { from: u64, total: Option<u64> },
    /// So many bytes are there.
    Bytes(u64),
    /// An attempt failed; there will be another.
    Again { reason: &'n DownloadError },
}

/// The path of the notes about a partial file.
pub(super) fn notes_of(part: &Path) -> PathBuf {
    part.with_extension("part.json")
}

/// Removes a partial file and its notes.
pub(super) fn discard(part: &Path) -> std::io::Result<()> {
    for path in [part.to_owned(), notes_of(part)] {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Fetches `url` into `part`, in as many attempts as the bounds allow.
pub(super) async fn download(
    client: &Client,
    url: &str,
    part: &Path,
    bounds: DownloadLimits,
    news: &mut (dyn FnMut(DownloadEvent<'_>) + Send),
) -> Result<u64, DownloadError> {
    let mut attempt = 1;
    let mut pause = bounds.backoff;
    loop {
        match attempt_download(client, url, part, bounds, news).await {
            Ok(bytes) => return Ok(bytes),
            Err(error) if error.is_passing() && attempt < bounds.attempts_max => {
                news(DownloadEvent::Again { reason: &error });
                tokio::time::sleep(pause).await;
                attempt += 1;
                pause = (pause * 2).min(BACKOFF_MAX);
            }
            Err(error) => return Err(error),
        }
    }
}

async fn attempt_download(
    client: &Client,
    url: &str,
    part: &Path,
    bounds: DownloadLimits,
    news: &mut (dyn FnMut(DownloadEvent<'_>) + Send),
) -> Result<u64, DownloadError> {
    let known = notes(part, url);
    let have = if known.etag.is_some() { std::fs::metadata(part).map_or(0, |file| file.len()) } else { 0 };
    if have > 0 && known.total == Some(have) {
        return Ok(have);
    }
    let mut request = client.get(url);
    if let (true, Some(etag)) = (have > 0, &known.etag) {
        request = request.header(RANGE, format!("bytes={have}-")).header(IF_RANGE, etag);
    }
    let response = request.send().await.map_err(connection)?;
    let (file, have, total) = open(&response, url, part, &known, have)?;
    if total.is_some_and(|total| total > bounds.bytes_max) {
        discard(part)?;
        return Err(DownloadError::TooBig { bytes_max: bounds.bytes_max });
    }
    news(DownloadEvent::Started { from: have, total });
    receive(response, file, part, have, total, bounds, news).await
}

/// Opens the partial file as the answer demands: to go on at its end, or anew.
fn open(
    response: &Response,
    url: &str,
    part: &Path,
    known: &Part,
    have: u64,
) -> Result<(File, u64, Option<u64>), DownloadError> {
    let etag = strong_etag(response.headers());
    match response.status() {
        StatusCode::PARTIAL_CONTENT => {
            let (start, total) = content_range(response.headers()).ok_or(DownloadError::Changed)?;
            let is_same = start == have && (etag.is_none() || etag == known.etag);
            if !is_same || total.is_some_and(|total| known.total.is_some_and(|before| before != total)) {
                discard(part)?;
                return Err(DownloadError::Changed);
            }
            let file = OpenOptions::new().append(true).open(part)?;
            Ok((file, have, total.or(known.total)))
        }
        StatusCode::OK => {
            let file = File::create(part)?;
            let total = response.content_length();
            let notes = Part { url: url.to_owned(), etag, total };
            std::fs::write(notes_of(part), serde_json::to_vec(&notes).map_err(std::io::Error::from)?)?;
            Ok((file, 0, total))
        }
        StatusCode::RANGE_NOT_SATISFIABLE => {
            discard(part)?;
            Err(DownloadError::Changed)
        }
        status => Err(DownloadError::Status(status.as_u16())),
    }
}

/// Writes what comes until it ends.
async fn receive(
    mut response: Response,
    mut file: File,
    part: &Path,
    mut have: u64,
    total: Option<u64>,
    bounds: DownloadLimits,
    news: &mut (dyn FnMut(DownloadEvent<'_>) + Send),
) -> Result<u64, DownloadError> {
    loop {
        let Some(chunk) = response.chunk().await.map_err(connection)? else { break };
        have += chunk.len() as u64;
        if have > bounds.bytes_max {
            discard(part)?;
            return Err(DownloadError::TooBig { bytes_max: bounds.bytes_max });
        }
        file.write_all(&chunk)?;
        news(DownloadEvent::Bytes(have));
    }
    file.sync_all()?;
    match total {
        Some(promised) if promised > have => Err(DownloadError::Cut { got: have, promised }),
        Some(promised) if promised < have => {
            discard(part)?;
            Err(DownloadError::Changed)
        }
        _ => Ok(have),
    }
}

/// Fetches a small file into memory.
pub(super) async fn fetch_small(
    client: &Client,
    url: &str,
    bounds: DownloadLimits,
) -> Result<Vec<u8>, DownloadError> {
    let mut attempt = 1;
    let mut pause = bounds.backoff;
    loop {
        match attempt_small(client, url, bounds.bytes_max).await {
            Err(error) if error.is_passing() && attempt < bounds.attempts_max => {
                tokio::time::sleep(pause).await;
                attempt += 1;
                pause = (pause * 2).min(BACKOFF_MAX);
            }
            done => return done,
        }
    }
}

async fn attempt_small(client: &Client, url: &str, bytes_max: u64) -> Result<Vec<u8>, DownloadError> {
    let mut response = client.get(url).send().await.map_err(connection)?;
    if response.status() != StatusCode::OK {
        return Err(DownloadError::Status(response.status().as_u16()));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(connection)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() as u64 > bytes_max {
            return Err(DownloadError::TooBig { bytes_max });
        }
    }
    Ok(bytes)
}

/// The notes about a partial file, if they are of this address.
fn notes(part: &Path, url: &str) -> Part {
    let read = inputs::read_own(&notes_of(part), NOTES_BYTES_MAX).ok().flatten();
    let notes: Option<Part> = read.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    notes.filter(|notes| notes.url == url).unwrap_or_default()
}

/// A transport error without the address, which the caller adds.
fn connection(error: reqwest::Error) -> DownloadError {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    DownloadError::Connection(text)
}

/// The `ETag`, unless it is a weak one, which does not promise the same bytes.
fn strong_etag(headers: &HeaderMap) -> Option<String> {
    let etag = headers.get(ETAG)?.to_str().ok()?;
    (!etag.starts_with("W/")).then(|| etag.to_owned())
}

/// First byte and total length of `Content-Range: bytes 5-9/10`.
fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let range = headers.get(CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")?;
    let (span, total) = range.split_once('/')?;
    let (start, _) = span.split_once('-')?;
    Some((start.parse().ok()?, total.parse().ok()))
}
