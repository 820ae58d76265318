//! A price list on the loopback, with faults.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// What the server does with a request.
#[derive(Clone)]
pub enum Answer {
    /// The file with this `ETag`; a fitting range request gets the rest.
    File { body: Vec<u8>, etag: &'static str },
    /// The same, but the connection breaks after so many bytes of the file.
    Cut { body: Vec<u8>, etag: &'static str, after: usize },
    /// A file whose rest is sent to whoever asks for it, even if they had another version before.
    Stubborn { body: Vec<u8>, etag: &'static str },
    /// A status without content.
    Status(u16),
    /// Nothing, until the client gives up.
    Silence,
}

#[derive(Default)]
struct Shelf {
    /// What to answer for a path, one after the other; the last answer stays.
    answers: BTreeMap<String, Vec<Answer>>,
    /// Requests as they came: path and range.
    asked: Vec<(String, Option<String>)>,
}

/// A price list on the loopback.
pub struct PriceList {
    pub host: String,
    shelf: Arc<Mutex<Shelf>>,
}

impl PriceList {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let host = format!("http://{}", listener.local_addr().expect("an address"));
        let shelf = Arc::new(Mutex::new(Shelf::default()));
        let list = Self { host, shelf: Arc::clone(&shelf) };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that has gone away is no matter here.
                let _ = serve(stream, &shelf);
            }
        });
        list.put_index("aws", "us-east-1");
        list.put_index("cn", "cn-north-1");
        list
    }
    pub fn put(&self, path: &str, answers: Vec<Answer>) {
        self.shelf.lock().expect("no panic under the lock").answers.insert(path.to_owned(), answers);
    }
    pub fn put_json(&self, path: &str, document: &Value) {
        self.put(path, vec![Answer::File { body: document.to_string().into_bytes(), etag: "\"i\"" }]);
    }
    fn put_index(&self, root: &str, code: &str) {
        let service = json!({ "offers": { "AmazonRDS": {
            "offerCode": "AmazonRDS", "currentRegionIndexUrl": format!("/offers/v1.0/{root}/AmazonRDS/current/region_index.json") } } });
        self.put_json(&format!("/offers/v1.0/{root}/index.json"), &service);
        let regions = json!({ "regions": { code: { "regionCode": code, "currentVersionUrl": offer_path(root, code) } } });
        self.put_json(&format!("/offers/v1.0/{root}/AmazonRDS/current/region_index.json"), &regions);
    }
    pub fn put_offer(&self, answers: Vec<Answer>) {
        self.put(&offer_path("aws", "us-east-1"), answers);
    }
    /// The ranges asked of the offer file, in order.
    pub fn ranges(&self) -> Vec<Option<String>> {
        let books = self.shelf.lock().expect("no panic under the lock");
        let path = offer_path("aws", "us-east-1");
        books.asked.iter().filter(|(asked, _)| *asked == path).map(|(_, range)| range.clone()).collect()
    }
}

pub fn offer_path(root: &str, code: &str) -> String {
    format!("/offers/v1.0/{root}/AmazonRDS/20261120180000/{code}/index.json")
}

fn serve(mut stream: TcpStream, shelf: &Mutex<Shelf>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let (mut range, mut if_range) = (None, None);
    for line in lines {
        let line = line?.to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("range: ") {
            range = Some(value.to_owned());
        }
        if let Some(value) = line.strip_prefix("if-range: ") {
            if_range = Some(value.to_owned());
        }
    }
    let answer = {
        let mut shelf = shelf.lock().expect("no panic under the lock");
        shelf.asked.push((path.clone(), range.clone()));
        match shelf.answers.get_mut(&path) {
            Some(answers) if answers.len() > 1 => answers.remove(0),
            Some(answers) => answers[0].clone(),
            None => Answer::Status(404),
        }
    };
    let is_stubborn = matches!(answer, Answer::Stubborn { .. });
    let (body, etag, after) = match answer {
        Answer::Silence => return stream.read_to_end(&mut Vec::new()).map(|_| ()),
        Answer::Status(status) => {
            return write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
        Answer::File { body, etag } | Answer::Stubborn { body, etag } => (body, etag, usize::MAX),
        Answer::Cut { body, etag, after } => (body, etag, after),
    };
    let from = range
        .filter(|_| is_stubborn || if_range.as_deref() == Some(etag))
        .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    let total = body.len();
    let start = from.unwrap_or(0);
    let (status, more) = match from {
        Some(from) => (206, format!("content-range: bytes {from}-{}/{total}\r\n", total - 1)),
        None => (200, String::new()),
    };
    let length = total - start;
    write!(
        stream,
        "HTTP/1.1 {status} X\r\netag: {etag}\r\ncontent-length: {length}\r\nconnection: close\r\n{more}\r\n"
    )?;
    stream.write_all(&body[start..total.min(after.max(start))])
}

/// A price list file with one instance price and some ballast.
pub fn offer_file(price: &str, code: &str, currency: &str) -> Vec<u8> {
    let ballast: serde_json::Map<String, Value> = (0..2_000)
        .map(|at| {
            (
                format!("Z{at}"),
                json!({ "productFamily": "Other", "attributes": { "usagetype": format!("Other:{at}") } }),
            )
        })
        .collect();
    let mut products = json!({ "A": { "productFamily": "Database Instance", "attributes": {
        "usagetype": "InstanceUsage:db.r6g.large", "instanceType": "db.r6g.large", "databaseEngine": "Aurora MySQL",
        "regionCode": code, "locationType": "AWS Region" } } });
    products.as_object_mut().expect("an object").extend(ballast);
    let terms = json!({ "OnDemand": { "A": { "A.T": { "priceDimensions": { "A.T.D": {
        "unit": "Hrs", "beginRange": "0", "endRange": "Inf", "pricePerUnit": { currency: price } } } } } } });
    json!({ "formatVersion": "v1.0", "offerCode": "AmazonRDS", "version": "20261120180000",
            "publicationDate": "2026-11-20T18:00:00Z", "products": products, "terms": terms })
    .to_string()
    .into_bytes()
}
