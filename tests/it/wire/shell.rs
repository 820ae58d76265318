//! The binary in a folder of its own, with an access key of its own, so that its calls can be told from those of others.

use std::collections::BTreeMap;
use std::process::{Child, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use rgctl::cli::exit::Exit;

use super::{boto3, python, subnets_of};
use crate::cli::{Left, Place};

/// No command here takes longer, or it hangs.
const PATIENCE: Duration = Duration::from_mins(5);

/// A place from which the binary works on the emulator.
pub struct Shell {
    place: Place,
    /// The emulator's address.
    pub url: String,
    key: String,
}

/// Region in which the binary's tests work. Names of blueprints keep them apart.
pub const CODE: &str = "us-east-1";

impl Shell {
    /// A new place for a blueprint of that name, with the network that the emulator has.
    pub fn new(url: &str, name: &str) -> Self {
        record_calls(url);
        let shell =
            Self { place: Place::new(), url: url.to_owned(), key: format!("AKID{name}").to_uppercase() };
        shell.write_region();
        shell
    }

    /// A region file that names what the emulator has there.
    fn write_region(&self) {
        // The emulator's network is there from its first moment on: it is asked for once.
        static NETWORK: OnceLock<[String; 2]> = OnceLock::new();
        let [subnets, group] = NETWORK.get_or_init(|| {
            let subnets = subnets_of(&self.url, CODE).into_iter().collect::<Vec<_>>().join(", ");
            let group = "print(c.describe_security_groups()['SecurityGroups'][0]['GroupId'])";
            [subnets, boto3(&self.url, CODE, "ec2", group)]
        });
        std::fs::create_dir_all(self.place.path().join("regions")).unwrap();
        let text = format!(
            "apiVersion: rgctl.dev/v1alpha1\nkind: Region\nmetadata: {{ name: {CODE} }}\nspec:\n  title: Test\n  \
             partition: aws\n  currency: USD\n  zones: [{CODE}a, {CODE}b, {CODE}c]\n  network:\n    \
             subnets: [{subnets}]\n    securityGroups: [{group}]\n    kmsKey: alias/rgctl\n  cities: [Test]\n"
        );
        self.place.write(&format!("regions/{CODE}.yaml"), &text);
    }

    /// Writes a file.
    pub fn write(&self, name: &str, text: &str) {
        self.place.write(name, text);
    }

    /// Whether anything was recorded here.
    pub fn has_record(&self) -> bool {
        self.place.path().join(".rgctl").exists()
    }

    fn line<'a>(&'a self, line: &[&'a str]) -> Vec<&'a str> {
        let mut whole = vec!["--cloud", "aws", "--endpoint-url", &self.url];
        if !line.contains(&"--store") {
            whole.extend(["--store", "local"]);
        }
        whole.extend(line);
        whole
    }

    fn environment(&self) -> [(&'static str, &str); 4] {
        [
            ("AWS_ACCESS_KEY_ID", &self.key),
            ("AWS_SECRET_ACCESS_KEY", "not-a-secret"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_REGION", CODE),
        ]
    }

    /// Runs a command to its end.
    pub fn run(&self, line: &[&str]) -> Left {
        self.run_with(line, &[])
    }

    /// The same with other variables.
    pub fn run_with(&self, line: &[&str], variables: &[(&str, &str)]) -> Left {
        let mut command = self.place.command(&self.line(line));
        command.envs(self.environment()).envs(variables.iter().copied()).timeout(PATIENCE);
        left_by(line, command.output().unwrap())
    }

    /// Runs a command to its end, which has to be this one.
    pub fn ends(&self, line: &[&str], exit: Exit) -> Left {
        let left = self.run(line);
        assert_eq!(left.code, exit.code(), "{line:?}\n{}\n{}", left.data, left.talk);
        left
    }

    /// The same on the embedded cloud, in the same folder.
    pub fn on_the_embedded_cloud(&self, line: &[&str]) -> Left {
        let mut whole = vec!["--state-dir", "embedded"];
        whole.extend(line);
        self.place.run(&whole)
    }

    /// Begins a command.
    pub fn start(&self, line: &[&str]) -> Child {
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("rgctl"));
        command.current_dir(self.place.path()).env_clear().envs(self.environment()).args(self.line(line));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// The calls that this place has made and that change something, in order, each with what it is about.
    pub fn changes(&self) -> Vec<String> {
        changes_by(&self.url, &self.key)
    }
}

/// What a process left behind.
pub fn left_by(line: &[&str], output: std::process::Output) -> Left {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (data, talk) = (text(output.stdout), text(output.stderr));
    let code =
        output.status.code().unwrap_or_else(|| panic!("{line:?} was killed: it hangs\n{data}\n{talk}"));
    Left { code: u8::try_from(code).unwrap(), data, talk }
}

/// Lets the emulator keep every request, from the first test on.
fn record_calls(url: &str) {
    static BEGUN: OnceLock<()> = OnceLock::new();
    BEGUN.get_or_init(|| {
        let lines = "import urllib.request\n\
            for word in ('reset', 'start'):\n \
            urllib.request.urlopen(urllib.request.Request(URL + f'/moto-api/recorder/{word}-recording', method='POST'))";
        python(&format!("URL = '{url}'\n{lines}"));
    });
}

/// Every request of an access key, as the emulator kept it: operation and the name that it is about.
fn calls_by(url: &str, key: &str) -> Vec<String> {
    let program = format!(
        "import base64, json, urllib.parse, urllib.request\n\
         lines = urllib.request.urlopen('{url}/moto-api/recorder/download-recording').read().decode().splitlines()\n\
         for request in map(json.loads, lines):\n \
         heads = {{name.lower(): text for name, text in request['headers'].items()}}\n \
         if 'Credential={key}/' not in heads.get('authorization', ''): continue\n \
         body = request.get('body') or ''\n \
         body = base64.b64decode(body).decode('utf-8', 'replace') if request.get('body_encoded') else body\n \
         asked = dict(urllib.parse.parse_qsl(body))\n \
         names = [text for name, text in sorted(asked.items(), key=lambda one: (one[0] != 'DBInstanceIdentifier', one[0])) if name.endswith(('Identifier', 'GroupName', 'GroupId', 'ResourceName'))]\n \
         target = heads.get('x-amz-target', '').rsplit('.')[-1]\n \
         path = request['method'] + ' ' + urllib.parse.urlparse(request['url']).path\n \
         print(asked.get('Action') or target or path, *names[:1])"
    );
    python(&program).lines().map(str::to_owned).collect()
}

fn changes_by(url: &str, key: &str) -> Vec<String> {
    // Who takes a role on is given credentials, and has changed nothing.
    let reads = ["Describe", "List", "Get", "GET ", "HEAD ", "AssumeRole"];
    let mut all = calls_by(url, key);
    all.retain(|call| !reads.iter().any(|word| call.starts_with(word)));
    all
}

/// How often each call was made.
pub fn counted(calls: &[String]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for call in calls {
        *counts.entry(call.as_str()).or_default() += 1;
    }
    counts
}

/// A blueprint of one store on Aurora.
pub fn blueprint(name: &str, class: &str, readers: u32, days: u32) -> String {
    format!("{}{}", head(name), store("accounts", class, readers, days))
}

/// The head of a blueprint, up to its stores.
pub fn head(name: &str) -> String {
    format!(
        "apiVersion: rgctl.dev/v1alpha1\nkind: Blueprint\nmetadata: {{ name: {name} }}\nspec:\n  demand:\n    \
         players: {{ peakConcurrent: 2k, growthPerMonth: 1% }}\n    requestsPerPlayerPerMinute: 12\n    \
         readShare: 85%\n    hotData: {{ size: 40GiB, retention: 90d }}\n  \
         objectives: {{ availability: 99.9%, p99: 100ms, rto: 8h, rpo: 24h }}\n  regions: {{ primary: {CODE} }}\n  \
         residency: {{ allow: [us-*] }}\n  stores:\n"
    )
}

/// A store on Aurora.
pub fn store(name: &str, class: &str, readers: u32, days: u32) -> String {
    format!(
        "    - name: {name}\n      engine: aurora-mysql\n      purpose: a test\n      \
         demand: {{ requestShare: 10%, dataSize: 4GiB }}\n      class: {class}\n      \
         readers: {{ min: {readers}, max: {readers} }}\n      backup: {{ retention: {days}d, window: \"06:00-07:00\" }}\n"
    )
}

/// Lets somebody else's hand change a cluster.
pub fn by_another_hand(url: &str, cluster: &str, days: u32) {
    let lines = format!(
        "c.modify_db_cluster(DBClusterIdentifier='{cluster}', BackupRetentionPeriod={days}, ApplyImmediately=True)"
    );
    boto3(url, CODE, "rds", &lines);
}
