//! What goes wrong outside, as the binary tells it: each a clear message, a next step, a documented exit code, and
//! nothing half-recorded. Loopback only: these need no emulator, but for the ones about permissions.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use rgctl::cli::exit::Exit;

use super::shell::{CODE, blueprint, left_by};
use super::{emulator, python};
use crate::cli::{Left, Place};

/// A server that answers every request with the same bytes; none at all closes the connection.
fn server(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // It ends with the process of the tests.
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || respond(stream, answer));
        }
    });
    format!("http://{address}")
}

fn respond(mut stream: TcpStream, answer: &[u8]) {
    let mut asked = [0; 8_192];
    // A client that went away is no matter of the server's.
    while stream.read(&mut asked).is_ok_and(|read| read > 0) {
        if answer.is_empty() || stream.write_all(answer).is_err() {
            return;
        }
    }
}

/// An answer as it stands on the wire.
fn http(status: &str, kind: &str, body: &str) -> &'static [u8] {
    let length = body.len();
    let text = format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}");
    Box::leak(text.into_bytes().into_boxed_slice())
}

fn key<'a>(id: &'a str, secret: &'a str) -> [(&'a str, &'a str); 2] {
    [("AWS_ACCESS_KEY_ID", id), ("AWS_SECRET_ACCESS_KEY", secret)]
}

struct Case<'a> {
    url: &'a str,
    variables: &'a [(&'a str, &'a str)],
    line: &'a [&'a str],
}

fn run(place: &Place, case: &Case<'_>) -> Left {
    let mut line = vec!["--cloud", "aws", "--endpoint-url", case.url];
    if !case.line.contains(&"--store") {
        line.extend(["--store", "local"]);
    }
    line.extend(case.line);
    let mut command = place.command(&line);
    command.env("AWS_EC2_METADATA_DISABLED", "true").env("AWS_REGION", CODE);
    command.envs(case.variables.iter().copied()).timeout(std::time::Duration::from_secs(100));
    left_by(&line, command.output().unwrap())
}

const KEYS: [(&str, &str); 2] =
    [("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "not-a-secret")];

fn place() -> Place {
    let place = Place::new();
    place.write("blueprint.yaml", &blueprint("game", "db.r7g.large", 1, 7));
    place
}

/// Commands that look: one that only tells, and one that would change something.
const BOTH: [&[&str]; 2] = [&["plan"], &["apply", "--yes"]];

/// All of them.
const ALL: [&[&str]; 5] = [&["plan"], &["apply", "--yes"], &["status"], &["drift"], &["destroy", "--yes"]];

/// Commands that look fail in the same words: what, why, what next; and leave nothing on record.
fn fails(url: &str, exit: Exit, commands: &[&[&str]], variables: &[(&str, &str)], words: &[&str]) {
    let place = place();
    let file = ["-f", "blueprint.yaml"];
    for command in commands {
        let line = [*command, &file[..]].concat();
        let left = run(&place, &Case { url, variables, line: &line });
        assert_eq!(left.code, exit.code(), "{line:?}\n{}\n{}", left.data, left.talk);
        assert_eq!(left.data, "", "{line:?}: no data where nothing is known");
        for word in [words, &["error:", "hint:"]].concat() {
            assert!(left.talk.contains(word), "{line:?}: {word:?} is not in\n{}", left.talk);
        }
    }
    let left = run(&place, &Case { url, variables, line: &["history", "game"] });
    assert!(left.talk.contains("nothing is on record for game"), "{}{}", left.data, left.talk);
}

#[test]
fn an_endpoint_where_nobody_listens_is_unreachable() {
    // A port that was free a moment ago.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    fails(&url, Exit::Blocked, &BOTH, &KEYS, &["unreachable", "refused", "the network (DNS"]);
}

#[test]
fn an_endpoint_that_closes_every_connection_is_unreachable() {
    fails(&server(b""), Exit::Blocked, &BOTH, &KEYS, &["unreachable", "the network (DNS"]);
}

#[test]
fn an_endpoint_that_answers_nonsense_is_not_understood() {
    let answer = http("200 OK", "text/plain", "not at all");
    let words = ["unreachable", "was not understood", "text/plain"];
    fails(&server(answer), Exit::Blocked, &ALL, &KEYS, &words);
}

#[test]
fn an_endpoint_that_knows_no_call_is_named_as_what_it_is() {
    let page = "<h1>Internal Server Error</h1>";
    let answer = http("500 INTERNAL SERVER ERROR", "text/html; charset=utf-8", page);
    // Whose account it is comes first, and is known to every endpoint of the provider.
    let words = ["GetCallerIdentity", "500 text/html", "as an emulator does to a call", "--endpoint-url"];
    fails(&server(answer), Exit::Error, &BOTH, &KEYS, &words);
}

#[test]
fn without_credentials_nothing_is_asked() {
    let url = server(b"");
    fails(&url, Exit::Error, &ALL, &[], &["not allowed (NoCredentials)", "rgctl doctor"]);
}

#[test]
fn a_region_that_nobody_described_is_invalid_input() {
    let place = Place::new();
    place.write("blueprint.yaml", &blueprint("game", "db.r7g.large", 1, 7).replace(CODE, "us-north-9"));
    let line = ["plan", "-f", "blueprint.yaml"];
    let left = run(&place, &Case { url: "http://127.0.0.1:9", variables: &KEYS, line: &line });
    assert_eq!((left.code, left.data.as_str()), (Exit::BadInput.code(), ""), "{}", left.talk);
    assert!(left.talk.contains("us-north-9"), "{}", left.talk);
}

#[test]
fn a_bucket_that_cannot_be_read_stops_a_run_before_it_begins() {
    let place = place();
    let refusal = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
    let url = server(http("403 Forbidden", "application/xml", refusal));
    let line = ["--store", "s3://some-bucket/games", "history", "game"];
    let left = run(&place, &Case { url: &url, variables: &KEYS, line: &line });
    assert_eq!(left.code, Exit::Error.code(), "{}", left.talk);
    for word in ["s3://some-bucket/games/records/aws/", "AccessDenied", "hint:"] {
        assert!(left.talk.contains(word), "{word}: {}", left.talk);
    }
}

/// An emulator of its own that asks who calls: the other one lets everybody in.
struct Guarded {
    child: Child,
    url: String,
}

impl Guarded {
    /// The first three calls are free: they make a user who may read RDS and nothing else.
    fn new() -> (Self, [String; 2]) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let program = std::env::var("RGCTL_MOTO_PYTHON").unwrap_or_else(|_| "python3".into());
        let child = Command::new(program)
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()])
            .env("INITIAL_NO_AUTH_ACTION_COUNT", "3")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let guarded = Self { child, url: format!("http://127.0.0.1:{port}") };
        let keys = python(&format!(
            "import time, urllib.request, boto3\nurl = '{}'\n\
             for _ in range(300):\n try:\n  urllib.request.urlopen(url + '/moto-api/data.json')\n  break\n \
             except OSError:\n  time.sleep(0.1)\n\
             c = boto3.client('iam', region_name='us-east-1', endpoint_url=url, aws_access_key_id='a', aws_secret_access_key='b')\n\
             c.create_user(UserName='reader')\n\
             key = c.create_access_key(UserName='reader')['AccessKey']\n\
             c.put_user_policy(UserName='reader', PolicyName='p', PolicyDocument='{{\"Version\": \"2012-10-17\", \
             \"Statement\": [{{\"Effect\": \"Allow\", \"Action\": [\"redshift:Describe*\"], \"Resource\": \"*\"}}]}}')\n\
             print(key['AccessKeyId'], key['SecretAccessKey'])",
            guarded.url
        ));
        let (id, secret) = keys.split_once(' ').unwrap();
        (guarded, [id.to_owned(), secret.to_owned()])
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // It may have ended by itself; nobody else is meant.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn wrong_credentials_and_missing_permissions_are_told_apart() {
    if emulator("wrong credentials and missing permissions").is_none() {
        return;
    }
    let (guarded, [id, secret]) = Guarded::new();
    let words = ["not allowed (InvalidClientTokenId)", "rgctl doctor"];
    fails(&guarded.url, Exit::Error, &BOTH, &KEYS, &words);
    fails(
        &guarded.url,
        Exit::Error,
        &BOTH[..1],
        &key(&id, "wrong"),
        &["not allowed (SignatureDoesNotMatch)", "rgctl doctor"],
    );

    // Who is known and may not read what the blueprint needs, is told so, and does not wait for ever.
    let place = place();
    let line = ["apply", "-f", "blueprint.yaml", "--yes"];
    let left = run(&place, &Case { url: &guarded.url, variables: &key(&id, &secret), line: &line });
    assert_eq!(left.code, Exit::Blocked.code(), "{}\n{}", left.data, left.talk);
    for word in
        ["not allowed (AccessDenied)", "rds:DescribeDBClusters", "rgctl iam-policy", "could not be seen"]
    {
        assert!(left.data.contains(word), "{word}: {}", left.data);
    }
    let left =
        run(&place, &Case { url: &guarded.url, variables: &key(&id, &secret), line: &["history", "game"] });
    assert!(left.talk.contains("nothing is on record"), "nothing was begun: {}{}", left.data, left.talk);
}
