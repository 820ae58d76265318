//! One blueprint over two accounts: each region is worked in with the role of its own account, and with no other.

use rgctl::cli::exit::Exit;

use super::shell::Shell;
use super::{emulator, python};

/// An account and the region that is worked in with its role.
struct Part {
    name: &'static str,
    id: &'static str,
    region: &'static str,
}

const EAST: Part = Part { name: "east", id: "111111111111", region: "us-east-1" };
const WEST: Part = Part { name: "west", id: "222222222222", region: "us-west-2" };

const LINE: &[&str] = &["-f", "blueprint.yaml", "-f", "accounts.yaml", "--regions", "regions"];

const BLUEPRINT: &str = "apiVersion: rgctl.dev/v1alpha1\nkind: Blueprint\nmetadata: { name: pair }\nspec:\n  demand:\n    \
    players: { peakConcurrent: 5k }\n    requestsPerPlayerPerMinute: 30\n    hotData: { size: 50GiB }\n  objectives: { \
    availability: 99.9%, p99: 20ms, rto: 15m, rpo: 5m }\n  regions:\n    cells:\n      - { name: west, primary: us-west-2, \
    demandShare: 50% }\n      - { name: east, primary: us-east-1, demandShare: 50% }\n  stores:\n    - { name: accounts, \
    engine: aurora-mysql, class: db.r7g.large, readers: 1, storage: standard }\n";

impl Part {
    /// What a program prints that works in the account, with a client of a service.
    fn sees(&self, url: &str, service: &str, lines: &str) -> String {
        python(&format!(
            "import boto3\nsts = boto3.client('sts', region_name='us-east-1', endpoint_url='{url}', aws_access_key_id='a', \
             aws_secret_access_key='b')\nk = sts.assume_role(RoleArn='arn:aws:iam::{}:role/rgctl', \
             RoleSessionName='test')['Credentials']\nc = boto3.client('{service}', region_name='{}', endpoint_url='{url}', \
             aws_access_key_id=k['AccessKeyId'], aws_secret_access_key=k['SecretAccessKey'], \
             aws_session_token=k['SessionToken'])\n{lines}",
            self.id, self.region
        ))
    }

    fn clusters(&self, url: &str) -> String {
        let lines = "print(sorted(d['DBClusterArn'] for d in c.describe_db_clusters()['DBClusters']))";
        self.sees(url, "rds", lines)
    }

    fn write_region(&self, shell: &Shell) {
        let subnets = "print(', '.join(s['SubnetId'] for s in c.describe_subnets()['Subnets'][:3]))";
        let subnets = self.sees(&shell.url, "ec2", subnets);
        let group = self.sees(
            &shell.url,
            "ec2",
            "print(c.describe_security_groups()['SecurityGroups'][0]['GroupId'])",
        );
        let code = self.region;
        shell.write(
            &format!("regions/{code}.yaml"),
            &format!(
                "apiVersion: rgctl.dev/v1alpha1\nkind: Region\nmetadata: {{ name: {code} }}\nspec:\n  title: Test\n  \
                 partition: aws\n  currency: USD\n  account: {}\n  zones: [{code}a, {code}b, {code}c]\n  network:\n    \
                 subnets: [{subnets}]\n    securityGroups: [{group}]\n    kmsKey: alias/rgctl\n  cities: [Test]\n",
                self.name
            ),
        );
    }

    fn document(&self, id: &str) -> String {
        format!(
            "apiVersion: rgctl.dev/v1alpha1\nkind: Account\nmetadata: {{ name: {} }}\nspec:\n  id: '{id}'\n  role: \
             arn:aws:iam::{id}:role/rgctl\n  regions: [{}]\n",
            self.name, self.region
        )
    }
}

#[test]
fn one_blueprint_over_two_accounts_is_made_and_removed_in_each_with_its_own_role() {
    let Some(url) = emulator("one blueprint over two accounts") else { return };
    let shell = Shell::new(&url, "pair");
    shell.write("blueprint.yaml", BLUEPRINT);
    let documents = |east: &str| [EAST.document(east), WEST.document(WEST.id)].join("---\n");
    shell.write("accounts.yaml", &documents(EAST.id));
    for part in [EAST, WEST] {
        part.write_region(&shell);
    }
    let with = |words: &[&'static str], more: &[&'static str]| [words, LINE, more].concat();
    let made = shell.ends(&with(&["apply"], &["--yes"]), Exit::Done);
    assert!(made.data.contains("pair: settled after"), "{}\n{}", made.data, made.talk);
    let arns = |part: &Part, short: &str| {
        format!("['arn:aws:rds:{}:{}:cluster:pair-accounts-{short}']", part.region, part.id)
    };
    assert_eq!(EAST.clusters(&url), arns(&EAST, "use1"));
    assert_eq!(WEST.clusters(&url), arns(&WEST, "usw2"));
    shell.ends(&with(&["plan"], &["--detailed-exitcode"]), Exit::Done);
    // The home is the account of the first cell, which is not that of the first region by name.
    let history = shell.ends(&["history", "pair", "--account", "aws/222222222222"], Exit::Done);
    assert_eq!(history.data.matches("begins apply").count(), 1, "{}", history.data);

    // A saved plan carries as whom it is carried out.
    shell.ends(&with(&["plan"], &["--out", "saved.json"]), Exit::Done);
    shell.ends(&["apply", "saved.json", "--yes"], Exit::Done);

    let checked = shell.run(&with(&["doctor"], &[]));
    assert!(checked.data.contains("in account 111111111111"), "{}", checked.data);
    assert!(checked.data.contains("in account 222222222222"), "{}", checked.data);

    let gone = shell.ends(
        &with(
            &["destroy"],
            &["--yes", "--allow", "delete:accounts@us-east-1", "--allow", "delete:accounts@us-west-2"],
        ),
        Exit::Done,
    );
    assert!(gone.data.contains("pair: settled"), "{}", gone.data);
    assert_eq!((EAST.clusters(&url), WEST.clusters(&url)), ("[]".into(), "[]".into()));
}

#[test]
fn credentials_of_another_account_than_a_region_names_are_refused_before_anything_is_looked_at() {
    let Some(url) = emulator("credentials of another account") else { return };
    let shell = Shell::new(&url, "other");
    shell.write("blueprint.yaml", BLUEPRINT);
    // Without a role the credentials are those of the environment, which are of the emulator's own account.
    let stray = "apiVersion: rgctl.dev/v1alpha1\nkind: Account\nmetadata: { name: east }\nspec: { id: '333333333333' }\n";
    shell.write("accounts.yaml", &format!("{stray}---\n{}", WEST.document(WEST.id)));
    for part in [EAST, WEST] {
        part.write_region(&shell);
    }
    let refused = shell.run(&[&["plan"], LINE].concat());
    assert!(refused.talk.contains("belongs to account 333333333333"), "{}", refused.talk);
    assert!(refused.talk.contains("correct the profile or the role"), "{}", refused.talk);
    assert_eq!(refused.code, Exit::Error.code(), "{}", refused.talk);
    assert_eq!(shell.changes(), [] as [&str; 0]);
}
