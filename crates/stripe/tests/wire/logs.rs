//! What the log says of a call: ids, numbers and words of ours, nothing of anybody's.

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::json;
use torv_stripe::CustomerRequest;

use crate::support::{Reply, scripted};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("lock").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Everything that is logged, at every level, by this crate.
async fn logged(replies: impl Fn() -> Vec<Reply>) -> String {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter("torv_stripe=trace")
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _here = tracing::subscriber::set_default(subscriber);
    // A place that logs and is reached for the first time by another test, just while this subscriber comes, would stay
    // silent for ever: once all of them were reached, they are asked again.
    call(replies()).await;
    tracing::callsite::rebuild_interest_cache();
    lines.0.lock().expect("lock").clear();
    call(replies()).await;
    let bytes = lines.0.lock().expect("lock").clone();
    String::from_utf8(bytes).expect("utf-8")
}

async fn call(replies: Vec<Reply>) {
    let (gateway, _) = scripted(replies).await;
    let request = CustomerRequest { email: Some("ada@example.org".into()), ..CustomerRequest::default() };
    let _result = gateway.create_customer(&request, "usr_1:customer:1").await;
}

#[tokio::test]
async fn a_call_that_succeeds_is_one_line_with_its_request_id() {
    let answer = json!({
        "id": "cus_1", "object": "customer", "created": 1_790_000_000, "livemode": false, "email": "ada@example.org",
    });
    let headers = vec![("request-id", "req_1"), ("idempotent-replayed", "true")];
    let lines = logged(|| vec![Reply::Headers(200, answer.clone(), headers.clone())]).await;
    assert_eq!(lines.lines().count(), 1, "{lines}");
    for part in ["DEBUG", "Stripe answered", "/customers", "attempt=1", "status=200", "req_1", "replayed=true"] {
        assert!(lines.contains(part), "{part}: {lines}");
    }
    for secret in ["ada@", "sk_test", "cus_1"] {
        assert!(!lines.contains(secret), "{lines}");
    }
}

#[tokio::test]
async fn each_attempt_that_fails_is_a_line_of_its_own() {
    let error = json!({"error": {"type": "api_error", "message": "no such mail ada@example.org"}});
    let failed = || Reply::Headers(500, error.clone(), vec![("request-id", "req_2")]);
    let refused = || Reply::Json(400, json!({"error": {"type": "invalid_request_error", "message": "m"}}));
    let lines = logged(|| vec![failed(), refused()]).await;
    assert_eq!(lines.lines().count(), 2, "{lines}");
    for part in ["INFO", "with an error", "status=500", "req_2", "attempt=2", "status=400"] {
        assert!(lines.contains(part), "{part}: {lines}");
    }
    assert!(!lines.contains("ada@"), "{lines}");
}
