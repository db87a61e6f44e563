//! Calls out as spans: what an OTLP endpoint gets, and what happens when it will not take it.

use std::io::Read as _;

use analytics::otlp::{Encoding, ingest};
use analytics::{Policy, Span};
use config::{Config, Export, Names};
use flate2::read::GzDecoder;
use serde_json::json;
use vocab::{Clock, Secret};

use crate::support::{FakeProvider, Harness, Reply, ask, ask_streamed};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn exporting(endpoint: &FakeProvider, encoding: config::Encoding) -> impl FnOnce(&mut Config) + use<> {
    let url = format!("{}/traces", endpoint.base_url());
    move |config| {
        config.export = Some(Export {
            url,
            headers: vec![("x-team".to_owned(), Secret::new("team-secret"))],
            names: Names::Current,
            bodies: true,
            encoding,
            resource: vec![("deployment.environment.name".to_owned(), "test".to_owned())],
            queue_bytes: 1 << 20,
        });
    }
}

/// What the endpoint got, read as Weir reads what it gets.
fn got(endpoint: &FakeProvider, encoding: Encoding) -> Vec<Span> {
    let mut spans = Vec::new();
    for received in endpoint.received() {
        assert_eq!(
            (received.path.as_str(), received.headers["x-team"].to_str().unwrap()),
            ("/v1/traces", "team-secret")
        );
        assert_eq!(received.headers["content-type"], encoding.content_type());
        assert_eq!(received.headers["content-encoding"], "gzip");
        let mut body = Vec::new();
        GzDecoder::new(&*received.body).read_to_end(&mut body).unwrap();
        let taken = ingest(encoding, &body, "p", &Policy::default(), Clock::system().now()).unwrap();
        assert_eq!(taken.rejected.spans(), 0, "{}", taken.rejected.message());
        spans.extend(taken.spans);
    }
    spans
}

#[tokio::test]
async fn every_call_goes_out_as_spans_before_the_gateway_has_stopped() {
    for (wire, encoding) in
        [(config::Encoding::Protobuf, Encoding::Protobuf), (config::Encoding::Json, Encoding::Json)]
    {
        let endpoint = FakeProvider::start().await;
        endpoint.will(Reply::json(&json!({}))).will(Reply::json(&json!({}))).will(Reply::json(&json!({})));
        let weir = Harness::with(exporting(&endpoint, wire)).await;
        let call = weir.call("POST", "/v1/chat/completions").header("traceparent", TRACE).json(&ask());
        assert_eq!(call.send().await.status, 200);
        weir.stream(&ask_streamed()).await.rest().await;
        let app = weir.app().clone();
        weir.stop().await;

        let spans = got(&endpoint, encoding);
        assert_eq!(spans.len(), 4, "two calls with one try each");
        let (server, client) = (&spans[0], &spans[1]);
        assert_eq!((server.trace_id[0], server.parent_span_id.unwrap()[1]), (0x4b, 0xf0));
        assert_eq!(client.parent_span_id, Some(server.span_id));
        assert_eq!((&*client.name, client.model.as_deref()), ("chat gpt-4o-mini", Some("gpt-4o-mini")));
        assert!(client.input_tokens > Some(0) && client.output_tokens > Some(0));
        assert!(client.input.as_deref().unwrap().contains("\"Hi\"") && client.output.is_some());
        assert!(client.attributes.as_deref().unwrap().contains("\"deployment.environment.name\":\"test\""));
        let counts = app.exporter.as_ref().unwrap().counts();
        assert_eq!((counts.sent, counts.queue_bytes), (4, 0));
        app.refresh_gauges();
        assert!(app.metrics.text().contains("weir_export_spans_total{result=\"sent\"} 4"));
    }
}

#[tokio::test]
async fn an_endpoint_that_asks_to_wait_gets_the_same_batch_again() {
    let endpoint = FakeProvider::start().await;
    endpoint.will(Reply::text(503, "text/plain", "busy").header("retry-after", "0"));
    endpoint.will(Reply::text(429, "text/plain", "busy").header("retry-after", "0"));
    endpoint.will(Reply::json(&json!({})));
    let weir = Harness::with(exporting(&endpoint, config::Encoding::Protobuf)).await;
    weir.chat(&ask()).await;
    let app = weir.app().clone();
    weir.stop().await;
    let received = endpoint.received();
    assert_eq!(received.len(), 3);
    assert!(received.iter().all(|again| again.body == received[0].body));
    assert_eq!(app.exporter.as_ref().unwrap().counts().sent, 2);
}

#[tokio::test]
async fn what_the_endpoint_will_never_take_is_counted_and_given_up() {
    let endpoint = FakeProvider::start().await;
    endpoint.will(Reply::text(400, "text/plain", "no"));
    let partial = json!({"partialSuccess": {"rejectedSpans": "1", "errorMessage": "odd"}});
    endpoint.will(Reply::json(&partial));
    let weir = Harness::with(exporting(&endpoint, config::Encoding::Json)).await;
    weir.chat(&ask()).await;
    endpoint.arrived(1).await;
    weir.chat(&ask()).await;
    let app = weir.app().clone();
    weir.stop().await;
    let counts = app.exporter.as_ref().unwrap().counts();
    assert_eq!((counts.failed, counts.sent, counts.rejected, counts.dropped), (2, 1, 1, 0));
}

#[tokio::test]
async fn a_queue_that_is_full_drops_spans_and_never_a_call() {
    let endpoint = FakeProvider::start().await;
    let weir = Harness::with(|config| {
        exporting(&endpoint, config::Encoding::Protobuf)(config);
        config.export.as_mut().unwrap().queue_bytes = 10;
    })
    .await;
    assert_eq!(weir.chat(&ask()).await.status, 200);
    weir.only_record().await;
    let counts = weir.app().exporter.as_ref().unwrap().counts();
    assert_eq!((counts.dropped, counts.queue_bytes), (2, 0));
    weir.stop().await;
    assert_eq!(endpoint.calls(), 0);
}
