//! What is put into a cluster for the operator: rights, admission policies, the deployment, and the same as two Helm charts.
//!
//! Goes in: names and numbers. Comes out: texts. One set of templates makes both: where the manifests have a value, the charts have
//! an expression.
//!
//! **Invariant:** no wildcard in any right, and no right to write a spec of people's.

use std::fmt::Write as _;
use std::ops::RangeInclusive;

use serde_json::{Value, json};

use crate::crds;
use rgctl_blueprint::yaml;

/// How the operator is installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    /// Its namespace.
    pub namespace: String,
    /// Namespaces whose blueprints it brings into shape; all when none is named.
    pub namespaces: Vec<String>,
    /// Image with the program.
    pub image: String,
    /// How many there are; one of them works.
    pub replicas: u32,
    /// What `rgctl operator run` is given beside that.
    pub arguments: Vec<String>,
}

/// How many replicas there may be: more than a few stand by for nothing. The charts' schema has the same bounds.
pub const REPLICAS: RangeInclusive<i64> = 1..=5;

const VERSION: &str = env!("CARGO_PKG_VERSION");
const NAMESPACE: &str = include_str!("../../../templates/operator/namespace.yaml");
const SERVICE_ACCOUNT: &str = include_str!("../../../templates/operator/service-account.yaml");
const OPERATOR_RIGHTS: &str = include_str!("../../../templates/operator/operator-rights.yaml");
const CLUSTER_RIGHTS: &str = include_str!("../../../templates/operator/cluster-rights.yaml");
const OWN_RIGHTS: &str = include_str!("../../../templates/operator/own-rights.yaml");
const BINDING_EVERYWHERE: &str = include_str!("../../../templates/operator/binding-everywhere.yaml");
const BINDING_THERE: &str = include_str!("../../../templates/operator/binding-there.yaml");
const PEOPLE: &str = include_str!("../../../templates/operator/people.yaml");
const ADMISSION: &str = include_str!("../../../templates/operator/admission.yaml");
const DEPLOYMENT: &str = include_str!("../../../templates/operator/deployment.yaml");
const OPERATOR_CHART: &str = include_str!("../../../templates/operator/chart/operator.Chart.yaml");
const CRDS_CHART: &str = include_str!("../../../templates/operator/chart/crds.Chart.yaml");
const VALUES: &str = include_str!("../../../templates/operator/chart/values.yaml");
const VALUES_SCHEMA: &str = include_str!("../../../templates/operator/chart/values.schema.json");
const NOTES: &str = include_str!("../../../templates/operator/chart/NOTES.txt");

/// What the operator asks for: what it needs is measured in the documentation.
fn resources() -> Value {
    json!({ "requests": { "cpu": "100m", "memory": "128Mi" } })
}

/// The definitions, one document after the other.
pub fn definitions() -> String {
    let texts: Vec<String> = crds::all().iter().map(yaml::to_text).collect();
    texts.join("---\n")
}

/// Everything but the definitions, one document after the other.
pub fn manifests(wanted: &Installation) -> String {
    let begins = ["operator", "run", "--elect", "--listen=0.0.0.0:9464"];
    let mut arguments: Vec<String> = begins.map(str::to_owned).to_vec();
    if !wanted.namespaces.is_empty() {
        arguments.push(format!("--namespaces={}", wanted.namespaces.join(",")));
    }
    if !wanted.arguments.iter().any(|word| word == "--store" || word.starts_with("--store=")) {
        arguments.push(format!("--store=kube:///{}", wanted.namespace));
    }
    arguments.extend(wanted.arguments.iter().cloned());
    let values = [
        ("NAMESPACE", wanted.namespace.clone()),
        ("VERSION", VERSION.to_owned()),
        ("REPLICAS", wanted.replicas.to_string()),
        ("IMAGE", Value::from(wanted.image.as_str()).to_string()),
        ("ARGS", Value::from(arguments).to_string()),
        ("ACCOUNT_ANNOTATIONS", "{}".to_owned()),
        ("RESOURCES", resources().to_string()),
    ];
    let bindings = if wanted.namespaces.is_empty() {
        vec![BINDING_EVERYWHERE.to_owned()]
    } else {
        let there = |name: &String| BINDING_THERE.replace("@THERE@", name);
        wanted.namespaces.iter().map(there).collect()
    };
    let first = [NAMESPACE, SERVICE_ACCOUNT, OPERATOR_RIGHTS, CLUSTER_RIGHTS, OWN_RIGHTS].map(str::to_owned);
    let last = [PEOPLE, ADMISSION, DEPLOYMENT].map(str::to_owned);
    let parts: Vec<String> =
        first.into_iter().chain(bindings).chain(last).map(|part| fill(&part, &values)).collect();
    parts.join("---\n")
}

/// The files of both charts, by path.
pub fn charts() -> Vec<(String, String)> {
    let fixed = [("VERSION", VERSION.to_owned()), ("ARGS", Value::from(TRIAL.to_vec()).to_string())];
    let values = [
        ("NAMESPACE", "{{ $.Release.Namespace }}".to_owned()),
        ("VERSION", "{{ $.Chart.AppVersion }}".to_owned()),
        ("REPLICAS", "{{ $.Values.replicas }}".to_owned()),
        ("IMAGE", "{{ $.Values.image | quote }}".to_owned()),
        ("ARGS", "{{ include \"rgctl.args\" $ }}".to_owned()),
        (
            "ACCOUNT_ANNOTATIONS",
            "{{ toJson (($.Values.serviceAccount).annotations | default dict) }}".to_owned(),
        ),
        ("RESOURCES", "{{ toJson $.Values.resources }}".to_owned()),
        ("THERE", "{{ . }}".to_owned()),
    ];
    let bindings = format!(
        "{{{{- if $.Values.namespaces }}}}\n{{{{- range $.Values.namespaces }}}}\n---\n{BINDING_THERE}{{{{- end }}}}\n\
         {{{{- else }}}}\n{BINDING_EVERYWHERE}{{{{- end }}}}\n"
    );
    let arguments = "{{- define \"rgctl.args\" -}}\n\
        {{- $args := list \"operator\" \"run\" \"--elect\" \"--listen=0.0.0.0:9464\" }}\n\
        {{- $args = append $args (printf \"--store=%s\" (.Values.store | default (printf \"kube:///%s\" .Release.Namespace))) }}\n\
        {{- with .Values.namespaces }}{{- $args = append $args (printf \"--namespaces=%s\" (join \",\" .)) }}{{- end }}\n\
        {{- toJson (concat $args .Values.args) }}\n\
        {{- end }}\n";
    let mut files = vec![
        ("rgctl-operator/Chart.yaml".to_owned(), fill(OPERATOR_CHART, &fixed)),
        ("rgctl-operator/values.yaml".to_owned(), fill(VALUES, &fixed)),
        ("rgctl-operator/values.schema.json".to_owned(), VALUES_SCHEMA.to_owned()),
        ("rgctl-operator/templates/NOTES.txt".to_owned(), NOTES.to_owned()),
        ("rgctl-operator/templates/_arguments.tpl".to_owned(), arguments.to_owned()),
        ("rgctl-crds/Chart.yaml".to_owned(), fill(CRDS_CHART, &fixed)),
        // A chart has values; this one has none to set.
        ("rgctl-crds/values.yaml".to_owned(), "{}\n".to_owned()),
    ];
    let parts = [
        ("service-account", SERVICE_ACCOUNT),
        ("operator-rights", OPERATOR_RIGHTS),
        ("cluster-rights", CLUSTER_RIGHTS),
        ("own-rights", OWN_RIGHTS),
        ("bindings", &bindings),
        ("people", PEOPLE),
        ("admission", ADMISSION),
        ("deployment", DEPLOYMENT),
    ];
    files.extend(
        parts.map(|(name, part)| (format!("rgctl-operator/templates/{name}.yaml"), fill(part, &values))),
    );
    for (names, definition) in crate::kinds::ALL.iter().zip(crds::all()) {
        let path = format!("rgctl-crds/templates/{}.yaml", names.plural);
        files.push((path, untouched(&yaml::to_text(&definition))));
    }
    files
}

/// What a first try of the chart is given: the embedded cloud.
const TRIAL: [&str; 2] = ["--cloud", "sim"];

/// A text that the charts' language leaves as it is.
fn untouched(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (place, part) in text.split("{{").enumerate() {
        let open = if place == 0 { "" } else { "{{ \"{{\" }}" };
        // Writing to a String cannot fail.
        let _ = write!(out, "{open}{part}");
    }
    out
}

fn fill(template: &str, values: &[(&str, String)]) -> String {
    let mut text = template.to_owned();
    for (name, value) in values {
        text = text.replace(&format!("@{name}@"), value);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use rgctl_schema::diagnostic::{Diagnostics, Source};
    use rgctl_schema::node::Tree;

    fn wanted(namespaces: &[&str]) -> Installation {
        Installation {
            namespace: "rgctl-system".to_owned(),
            namespaces: namespaces.iter().map(|name| (*name).to_owned()).collect(),
            image: "rgctl:1".to_owned(),
            replicas: 2,
            arguments: vec!["--cloud".to_owned(), "sim".to_owned()],
        }
    }

    fn documents(text: &str) -> Vec<Value> {
        let mut found = Diagnostics::default();
        let read = yaml::parse(&Source::new("printed", text), &mut found);
        assert!(!found.has_errors(), "{found:?}");
        read.iter().map(Tree::to_json).collect()
    }

    #[test]
    fn no_right_is_a_wildcard_and_no_place_is_left_open() {
        for namespaces in [&[][..], &["games", "tests"][..]] {
            let text = manifests(&wanted(namespaces));
            assert!(!text.contains('@'), "{text}");
            let all = documents(&text);
            let rules = all.iter().filter_map(|one| one["rules"].as_array()).flatten();
            for rule in rules {
                assert!(!rule.to_string().contains('*'), "{rule}");
                assert!(!rule["resources"].to_string().contains("secrets"), "{rule}");
            }
            let bound = |kind: &str| all.iter().filter(|one| one["kind"] == kind).count();
            assert_eq!(bound("RoleBinding"), 1 + namespaces.len());
        }
    }

    #[test]
    fn replicas_have_one_bound_in_the_charts_and_in_the_command() {
        let schema: Value = serde_json::from_str(VALUES_SCHEMA).unwrap();
        let of = |end: &str| schema["properties"]["replicas"][end].as_i64().unwrap();
        assert_eq!(of("minimum")..=of("maximum"), REPLICAS);
        assert!(REPLICAS.contains(&i64::from(wanted(&[]).replicas)));
    }

    #[test]
    fn the_operator_approves_nothing_and_writes_no_specs() {
        let all = documents(&manifests(&wanted(&[])));
        let role = all
            .iter()
            .find(|one| one["kind"] == "ClusterRole" && one["metadata"]["name"] == "rgctl-operator");
        for rule in role.unwrap()["rules"].as_array().unwrap() {
            let (resources, verbs) = (rule["resources"].to_string(), rule["verbs"].to_string());
            let writes = ["create", "update", "patch", "delete"].iter().any(|verb| verbs.contains(verb));
            let is_others =
                ["\"approvals\"", "\"regions\"", "\"overrides\""].iter().any(|one| resources.contains(one));
            assert!(!(writes && is_others), "{rule}");
        }
    }

    #[test]
    fn the_charts_have_every_manifest_and_every_definition() {
        let files = charts();
        let of = |start: &str| files.iter().filter(|(path, _)| path.starts_with(start)).count();
        assert_eq!(of("rgctl-crds/templates/"), crate::kinds::ALL.len());
        assert!(files.iter().all(|(_, text)| !text.contains("@NAMESPACE@") && !text.contains("@ARGS@")));
        assert_eq!(untouched("a {{ b"), "a {{ \"{{\" }} b");
    }
}
