//! The answers to direct questions.
//!
//! Goes in: a response. Comes out: a page, or the refusal with the code that the service gave it.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::error::ErrorMetadata;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_xml::decode::{Document, ScopedDecoder, XmlDecodeError, try_data};
use serde_json::Value;

use super::{Hidden, ListedQuota, Simulated};

/// A page of an answer.
#[derive(Debug)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
}

/// Why there is no page: what the service said, or why it was not understood.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub struct Fault {
    told: ErrorMetadata,
    why: String,
}

impl ProvideErrorMetadata for Fault {
    fn meta(&self) -> &ErrorMetadata {
        &self.told
    }
}

/// Reads a response whose body is there.
pub fn read<T>(
    response: &HttpResponse,
    page: fn(&[u8]) -> Result<Page<T>, BoxError>,
) -> Result<Page<T>, Fault> {
    let body = response.body().bytes().unwrap_or_default();
    if response.status().is_success() {
        return page(body).map_err(|error| Fault { told: ErrorMetadata::default(), why: error.to_string() });
    }
    let header = response.headers().get("x-amzn-errortype");
    let told = told(header, body);
    let why = match (told.code(), told.message()) {
        (Some(code), message) => format!("{code}: {}", message.unwrap_or_default()),
        (None, _) => format!("status {} without a code", response.status().as_u16()),
    };
    Err(Fault { told, why })
}

/// Code and message of a refusal, in either protocol.
fn told(header: Option<&str>, body: &[u8]) -> ErrorMetadata {
    let mut told = ErrorMetadata::builder();
    let (mut code, mut message) = (header.map(str::to_owned), None);
    if let Ok(Value::Object(fields)) = serde_json::from_slice(body) {
        let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
        code = code.or_else(|| text("code")).or_else(|| text("__type"));
        message = text("message").or_else(|| text("Message"));
    } else if let Ok((of_xml, text)) = told_in_xml(body) {
        code = code.or(of_xml);
        message = text;
    }
    if let Some(code) = &code {
        // A namespace may stand before the code, and an address behind it.
        let code = code.split(':').next().unwrap_or(code);
        told = told.code(code.rsplit('#').next().unwrap_or(code));
    }
    if let Some(message) = message {
        told = told.message(message);
    }
    told.build()
}

fn told_in_xml(body: &[u8]) -> Result<(Option<String>, Option<String>), XmlDecodeError> {
    let mut document = Document::try_from(body)?;
    let mut root = document.root_element()?;
    let (mut code, mut message) = (None, None);
    while let Some(mut error) = root.next_tag() {
        if error.start_el().local() != "Error" {
            continue;
        }
        while let Some(mut field) = error.next_tag() {
            match field.start_el().local() {
                "Code" => code = Some(text(&mut field)?),
                "Message" => message = Some(text(&mut field)?),
                _ => {}
            }
        }
    }
    Ok((code, message))
}

fn text(field: &mut ScopedDecoder<'_, '_>) -> Result<String, XmlDecodeError> {
    try_data(field).map(std::borrow::Cow::into_owned)
}

/// A page of a simulation.
pub fn simulated(body: &[u8]) -> Result<Page<Simulated>, BoxError> {
    let mut document = Document::try_from(body)?;
    let mut root = document.root_element()?;
    while let Some(mut result) = root.next_tag() {
        if result.start_el().local() != "SimulatePrincipalPolicyResult" {
            continue;
        }
        let (mut items, mut next) = (Vec::new(), None);
        while let Some(mut field) = result.next_tag() {
            match field.start_el().local() {
                "EvaluationResults" => {
                    while let Some(mut member) = field.next_tag() {
                        items.push(one_simulated(&mut member)?);
                    }
                }
                "Marker" => next = Some(text(&mut field)?),
                _ => {}
            }
        }
        return Ok(Page { items, next });
    }
    Err("the answer holds no result of a simulation".into())
}

fn one_simulated(member: &mut ScopedDecoder<'_, '_>) -> Result<Simulated, BoxError> {
    let (mut action, mut decision) = (None, None);
    while let Some(mut field) = member.next_tag() {
        match field.start_el().local() {
            "EvalActionName" => action = Some(text(&mut field)?),
            "EvalDecision" => decision = Some(text(&mut field)?),
            _ => {}
        }
    }
    match (action, decision) {
        (Some(action), Some(decision)) => Ok(Simulated { action, decision }),
        _ => Err("a result of the simulation names no action, or no decision".into()),
    }
}

/// A page of quotas. One without a value is not set, and left out.
pub fn quotas(body: &[u8]) -> Result<Page<ListedQuota>, BoxError> {
    let answer: Value = serde_json::from_slice(body)?;
    let listed =
        answer.get("Quotas").and_then(Value::as_array).ok_or("the answer holds no list of quotas")?;
    let quota = |quota: &Value| {
        let name = quota.get("QuotaName")?.as_str()?.to_owned();
        Some(ListedQuota { name, value: quota.get("Value")?.as_f64()? })
    };
    let next = answer.get("NextToken").and_then(Value::as_str).map(str::to_owned);
    Ok(Page { items: listed.iter().filter_map(quota).collect(), next })
}

/// The fields of an answer of one page.
pub fn fields(body: &[u8]) -> Result<Page<Hidden>, BoxError> {
    let answer = serde_json::from_slice(body).ok().filter(Value::is_object);
    Ok(Page { items: vec![Hidden(answer.ok_or("the answer holds no fields")?)], next: None })
}

/// A page of secrets, without what they hold.
pub fn secrets(body: &[u8]) -> Result<Page<Value>, BoxError> {
    let mut answer: Value = serde_json::from_slice(body)?;
    let next = answer.get("NextToken").and_then(Value::as_str).map(str::to_owned);
    match answer.get_mut("SecretList").map(Value::take) {
        Some(Value::Array(items)) => Ok(Page { items, next }),
        _ => Err("the answer holds no list of secrets".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_about_a_secret_shows_nothing_of_it() {
        let page = fields(br#"{"SecretString":"hunter2-hunter2"}"#).unwrap();
        assert_eq!(page.items[0].text("SecretString"), Some("hunter2-hunter2"));
        assert!(!format!("{page:?}").contains("hunter2"), "{page:?}");
        for body in ["", "[]", "hunter2", "<html/>", r#"{"SecretString":"hunter2"#] {
            let error = fields(body.as_bytes()).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_page_of_a_simulation_names_each_action_with_its_decision() {
        let body = "<SimulatePrincipalPolicyResponse><SimulatePrincipalPolicyResult><IsTruncated>true</IsTruncated>\
            <EvaluationResults><member><EvalActionName>rds:DeleteDBCluster</EvalActionName><MatchedStatements/>\
            <EvalDecision>implicitDeny</EvalDecision></member></EvaluationResults><Marker>a&amp;b</Marker>\
            </SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>";
        let page = simulated(body.as_bytes()).unwrap();
        let denied =
            Simulated { action: "rds:DeleteDBCluster".to_owned(), decision: "implicitDeny".to_owned() };
        assert_eq!((page.items, page.next.as_deref()), (vec![denied], Some("a&b")));
    }

    #[test]
    fn an_answer_of_something_else_is_no_permission_and_no_quota() {
        for body in ["", "<html><p>Sign in</p></html>", "{}", "[]", "<a/>"] {
            assert!(simulated(body.as_bytes()).is_err(), "{body}");
            assert!(quotas(body.as_bytes()).is_err(), "{body}");
            assert!(secrets(body.as_bytes()).is_err(), "{body}");
        }
        let nameless = "<r><SimulatePrincipalPolicyResult><EvaluationResults><member><EvalDecision>allowed\
            </EvalDecision></member></EvaluationResults></SimulatePrincipalPolicyResult></r>";
        assert!(simulated(nameless.as_bytes()).is_err());
    }

    #[test]
    fn a_refusal_keeps_its_code_in_either_protocol() {
        let json = br#"{"__type":"com.amazon#AccessDeniedException:http://x","Message":"no"}"#;
        let xml = b"<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error>\
            </ErrorResponse>";
        for (header, body, code) in [
            (None, &json[..], Some("AccessDeniedException")),
            (Some("ThrottlingException"), b"", Some("ThrottlingException")),
            (None, xml, Some("AccessDenied")),
            (None, b"<h1>Bad gateway</h1>", None),
        ] {
            assert_eq!(told(header, body).code(), code);
        }
        assert_eq!(told(None, xml).message(), Some("no"));
    }
}
