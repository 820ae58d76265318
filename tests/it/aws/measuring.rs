//! Metrics as they come back: through the SDK's parser of the binary protocol, over pages, folded into our signals.

use aws_smithy_cbor::Encoder;
use aws_smithy_types::DateTime;
use rgctl_aws::clients::AwsOptions;
use rgctl_model::kinds::KindId;
use rgctl_model::ports::{Cloud, CloudError};
use rgctl_model::series::{Series, SeriesAsk, Signal};
use rgctl_schema::time::{Moment, Span};

use super::replay::{Answer, CBOR, Sent, cloud, xml};
use rgctl_testkit::fixtures::address;

/// A page of results: for each the id of its question, and its samples by second.
pub fn page(results: &[(&str, &[(i64, f64)])], next: Option<&str>) -> Answer {
    let mut body = Encoder::new(Vec::new());
    body.map(1 + usize::from(next.is_some())).str("MetricDataResults").array(results.len());
    for (id, samples) in results {
        body.map(3).str("Id").str(id).str("Timestamps").array(samples.len());
        for (second, _) in *samples {
            body.timestamp(&DateTime::from_secs(*second));
        }
        body.str("Values").array(samples.len());
        for (_, value) in *samples {
            body.double(*value);
        }
    }
    if let Some(next) = next {
        body.str("NextToken").str(next);
    }
    (200, CBOR, body.into_writer().into_iter().map(char::from).collect())
}

fn ask(kind: KindId, signal: Signal) -> SeriesAsk {
    SeriesAsk {
        address: address("us-east-1", kind, "game-it"),
        signal,
        from: Moment::from_secs(0),
        until: Moment::from_secs(180),
        period: Span::from_mins(1),
    }
}

fn nodes(sent: &Sent) -> Option<Answer> {
    (sent.operation == "DescribeReplicationGroups").then(|| {
        xml(
            &sent.operation,
            "<ReplicationGroups><ReplicationGroup><ReplicationGroupId>game-it</ReplicationGroupId>\
             <MemberClusters><ClusterId>game-it-001</ClusterId><ClusterId>game-it-002</ClusterId></MemberClusters>\
             </ReplicationGroup></ReplicationGroups>",
        )
    })
}

#[tokio::test]
async fn samples_come_back_in_our_units_over_all_pages_and_what_was_not_delivered_is_missing() {
    let pages = std::sync::atomic::AtomicUsize::new(0);
    let (cloud, log) = cloud(AwsOptions::default(), move |sent| {
        if sent.operation != "GetMetricData" {
            return nodes(sent);
        }
        Some(match pages.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 => page(
                &[
                    ("m0", &[(0, 10.0), (120, 30.0)]),
                    // The two nodes of the group: commands in a minute.
                    ("m1", &[(0, 60.0), (60, 120.0)]),
                    ("m2", &[(0, 30.0)]),
                ],
                Some("more"),
            ),
            _ => page(
                &[
                    ("m0", &[(60, 20.0), (600, 99.0)]),
                    // Lag in seconds.
                    ("m3", &[(0, 0.25)]),
                    ("m4", &[(0, 0.75)]),
                    // Megabytes.
                    ("m5", &[(0, 2.0)]),
                ],
                None,
            ),
        })
    });
    let asks = [
        ask(KindId::AuroraInstance, Signal::CpuPercent),
        ask(KindId::CacheGroup, Signal::WritesPerSecond),
        ask(KindId::CacheGroup, Signal::ReplicaLagMs),
        ask(KindId::RedshiftNamespace, Signal::StoredBytes),
        ask(KindId::RdsSubnetGroup, Signal::CpuPercent),
    ];
    let series: Vec<Series> = cloud.series(&asks).await.into_iter().map(Result::unwrap).collect();
    let samples: Vec<Vec<(i64, f64)>> = series
        .iter()
        .map(|one| one.samples.iter().map(|(at, value)| (at.as_secs(), *value)).collect())
        .collect();
    let wanted: [&[(i64, f64)]; 5] = [
        &[(0, 10.0), (60, 20.0), (120, 30.0)],
        &[(0, 1.5), (60, 2.0)],
        &[(0, 750.0)],
        &[(0, 2_097_152.0)],
        &[],
    ];
    assert_eq!(samples, wanted);
    assert!(series.iter().map(|one| &one.ask).eq(&asks), "in the order of the questions");
    let calls = log.lock().unwrap().iter().filter(|sent| sent.operation == "GetMetricData").count();
    assert_eq!(calls, 2, "two pages of one question");
}

#[tokio::test]
async fn a_refused_question_about_metrics_is_an_error_and_no_empty_series() {
    let (cloud, _) = cloud(AwsOptions::default(), |sent| {
        if sent.operation != "GetMetricData" {
            return nodes(sent);
        }
        let mut body = Encoder::new(Vec::new());
        body.map(2).str("__type").str("com.amazonaws.cloudwatch#AccessDeniedException");
        body.str("message").str("not authorized: cloudwatch:GetMetricData");
        Some((403, CBOR, body.into_writer().into_iter().map(char::from).collect()))
    });
    let answer = cloud.series(&[ask(KindId::AuroraInstance, Signal::CpuPercent)]).await.remove(0);
    let Err(CloudError::Denied { code, message }) = answer else { panic!("{answer:?}") };
    assert_eq!(code, "AccessDeniedException");
    assert!(message.contains("cloudwatch:GetMetricData"), "{message}");
}
