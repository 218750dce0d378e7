use secrecy::SecretString;

use super::*;

const BODY: &str = r#"{"id":"evt_1","object":"event","type":"payout.paid","created":1790000000,"data":{"object":{}}}"#;
const SIGNED_AT: i64 = 1_790_000_000;
// Computed outside this code: printf '%s' "1790000000.$BODY" | openssl dgst -sha256 -hmac whsec_first (and whsec_second).
const BY_FIRST: &str = "b37869e1d296a0a7b1dfd8da939d62318da22b541c75b780d352282fd8a0873a";
const BY_SECOND: &str = "abc5d1f4b1a6e8d614e3e7c6609290e80685591d36c33f6c859e202af9da12fb";

fn verifier(secrets: &[&str]) -> Verifier {
    let mut settings = Settings::new(SecretString::from("sk_test_x"));
    settings.webhook_secrets = secrets.iter().map(|&secret| SecretString::from(secret)).collect();
    Verifier::new(&settings)
}

fn at(offset_seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(SIGNED_AT + offset_seconds).expect("a time")
}

fn verify(secrets: &[&str], header: &str, body: &str, offset_seconds: i64) -> Result<(), WebhookError> {
    verifier(secrets).verify(header, body.as_bytes(), at(offset_seconds))
}

#[test]
fn a_signature_made_by_openssl_is_accepted() {
    assert_eq!(verify(&["whsec_first"], &format!("t={SIGNED_AT},v1={BY_FIRST}"), BODY, 0), Ok(()));
}

#[test]
fn any_signature_of_any_secret_is_enough_while_secrets_rotate() {
    let both = format!("t={SIGNED_AT},v1={BY_FIRST},v1={BY_SECOND}");
    let second = format!("t={SIGNED_AT},v1={BY_SECOND}");
    assert_eq!(verify(&["whsec_first"], &both, BODY, 0), Ok(()));
    assert_eq!(verify(&["whsec_second"], &both, BODY, 0), Ok(()));
    assert_eq!(verify(&["whsec_first", "whsec_second"], &second, BODY, 0), Ok(()));
    assert_eq!(verify(&["whsec_first"], &second, BODY, 0), Err(WebhookError::NoMatch));
}

#[test]
fn a_changed_body_time_or_signature_is_refused() {
    let header = format!("t={SIGNED_AT},v1={BY_FIRST}");
    assert_eq!(verify(&["whsec_first"], &header, &BODY.replace("evt_1", "evt_2"), 0), Err(WebhookError::NoMatch));
    let later = format!("t={},v1={BY_FIRST}", SIGNED_AT + 1);
    assert_eq!(verify(&["whsec_first"], &later, BODY, 0), Err(WebhookError::NoMatch));
    let cut = format!("t={SIGNED_AT},v1={}", &BY_FIRST[..62]);
    assert_eq!(verify(&["whsec_first"], &cut, BODY, 0), Err(WebhookError::NoMatch));
    let no_hex = format!("t={SIGNED_AT},v1=zz,v1={BY_FIRST}");
    assert_eq!(verify(&["whsec_first"], &no_hex, BODY, 0), Ok(()), "one bad signature does not spoil a good one");
}

#[test]
fn only_so_many_signatures_are_looked_at() {
    let after = |count: usize| format!("t={SIGNED_AT}{},v1={BY_FIRST}", ",v1=00".repeat(count));
    assert_eq!(verify(&["whsec_first"], &after(SIGNATURES_MAX - 1), BODY, 0), Ok(()));
    assert_eq!(verify(&["whsec_first"], &after(SIGNATURES_MAX), BODY, 0), Err(WebhookError::NoMatch));
}

#[test]
fn every_single_bit_of_the_signature_counts() {
    for index in 0..64 {
        let mut signature = BY_FIRST.to_owned().into_bytes();
        signature[index] = if signature[index] == b'0' { b'1' } else { b'0' };
        let header = format!("t={SIGNED_AT},v1={}", String::from_utf8(signature).expect("ascii"));
        assert_eq!(verify(&["whsec_first"], &header, BODY, 0), Err(WebhookError::NoMatch), "digit {index}");
    }
}

#[test]
fn the_tolerance_holds_in_both_directions_and_includes_its_ends() {
    let header = format!("t={SIGNED_AT},v1={BY_FIRST}");
    let verify_at = |offset| verify(&["whsec_first"], &header, BODY, offset);
    assert_eq!(verify_at(300), Ok(()));
    assert_eq!(verify_at(-300), Ok(()));
    assert_eq!(verify_at(301), Err(WebhookError::TooOld { age_seconds: 301, tolerance_seconds: 300 }));
    assert_eq!(verify_at(-301), Err(WebhookError::FromTheFuture { ahead_seconds: 301, tolerance_seconds: 300 }));
}

#[test]
fn v0_alone_no_secret_and_malformed_headers_are_refused() {
    let v0 = format!("t={SIGNED_AT},v0={BY_FIRST}");
    assert_eq!(verify(&["whsec_first"], &v0, BODY, 0), Err(WebhookError::NoMatch));
    assert_eq!(verify(&[], &format!("t={SIGNED_AT},v1={BY_FIRST}"), BODY, 0), Err(WebhookError::NoSecret));
    for header in
        ["", "t", "v1=", &format!("v1={BY_FIRST}"), "t=soon,v1=00", &format!("t=1,t={SIGNED_AT},v1={BY_FIRST}")]
    {
        assert_eq!(verify(&["whsec_first"], header, BODY, 0), Err(WebhookError::Malformed), "{header}");
    }
}

#[test]
fn the_gateway_verifies_with_its_settings() {
    let mut settings = Settings::new(SecretString::from("sk_test_x"));
    settings.webhook_secrets = vec![SecretString::from("whsec_first")];
    let gateway = Gateway::new(&settings).expect("a gateway");
    let verify = |by: &str| gateway.verify_webhook(&format!("t={SIGNED_AT},v1={by}"), BODY.as_bytes(), at(0));
    assert_eq!((verify(BY_FIRST), verify(BY_SECOND)), (Ok(()), Err(WebhookError::NoMatch)));
}

#[test]
fn async_stripe_accepts_and_makes_the_same_signatures() {
    let header = stripe_webhook::Webhook::generate_test_header(BODY, "whsec_first", Some(SIGNED_AT));
    assert_eq!(header, format!("t={SIGNED_AT},v1={BY_FIRST}"));
    assert_eq!(verify(&["whsec_first"], &header, BODY, 0), Ok(()));
}

#[test]
fn secrets_show_in_no_debug_output() {
    let mut settings = Settings::new(SecretString::from("sk_test_hidden"));
    settings.webhook_secrets = vec![SecretString::from("whsec_hidden")];
    let gateway = Gateway::new(&settings).expect("a gateway");
    let shown = format!("{settings:?} {gateway:?}");
    assert!(!shown.contains("hidden"), "{shown}");
    assert!(shown.contains("Verifier { keys: 1, tolerance_seconds: 300 }"), "{shown}");
}
