//! Trial reports: what the exchange answered about a table before anybody paid for it.
//!
//! Such a report is in no tree: it is signed by itself, with the same keys as tree heads.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{KeyId, Signature, TrustedKeys, Why, json::canonical_json};

/// The format of trial reports.
pub const TRIAL_FORMAT: &str = "torv-trial-report/1";
/// What the signed text begins with, so that a signature made for anything else is none for a report.
const SIGNED_PREFIX: &str = "torv trial report 1\n";

/// The file: a report and the signature over it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrialReport {
    /// [`TRIAL_FORMAT`].
    pub format: String,
    /// The key that signed it.
    pub key_id: KeyId,
    /// Questions, answers, and how they were protected.
    pub report: Value,
    /// Over [`TrialReport::message`].
    pub signature: Signature,
}

impl TrialReport {
    /// The bytes that are signed.
    ///
    /// # Errors
    /// When the report holds a number with a fraction.
    pub fn message(report: &Value) -> Result<Vec<u8>, serde_json::Error> {
        Ok(format!("{SIGNED_PREFIX}{}", canonical_json(report)?).into_bytes())
    }

    /// The file's text: canonical JSON and a line feed. A report has no other form.
    ///
    /// # Errors
    /// As [`TrialReport::message`].
    pub fn to_text(&self) -> Result<String, serde_json::Error> {
        Ok(format!("{}\n", canonical_json(self)?))
    }
}

/// True when a file says of itself that it is a trial report.
pub fn is_trial_report(bytes: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Head {
        format: String,
    }
    serde_json::from_slice::<Head>(bytes).is_ok_and(|head| head.format == TRIAL_FORMAT)
}

/// Verifies the bytes of a trial report with keys that the caller trusts; nothing else is asked.
///
/// # Errors
/// [`Why`], at the first thing that does not hold.
pub fn verify_trial_report(bytes: &[u8], keys: &TrustedKeys) -> Result<TrialReport, Why> {
    let unreadable = |error: serde_json::Error| Why::Unreadable(error.to_string());
    let parsed: TrialReport = serde_json::from_slice(bytes).map_err(unreadable)?;
    if parsed.format != TRIAL_FORMAT {
        return Err(Why::UnknownFormat(parsed.format));
    }
    if parsed.to_text().map_err(unreadable)?.as_bytes() != bytes {
        return Err(Why::NotCanonical);
    }
    if !keys.holds(&parsed.key_id) {
        return Err(Why::UnknownKey(parsed.key_id));
    }
    let message = TrialReport::message(&parsed.report).map_err(unreadable)?;
    if !keys.have_signed_bytes(&parsed.key_id, &message, &parsed.signature) {
        return Err(Why::BadSignature);
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};
    use serde_json::json;

    use super::*;

    fn signed(report: Value) -> (String, TrustedKeys) {
        let key = SigningKey::from_bytes(&[5; 32]);
        let public = key.verifying_key().to_bytes();
        let key_id = KeyId::of(&public);
        let digits: String = public.iter().map(|byte| format!("{byte:02x}")).collect();
        let keys = json!({"keys": [{"key_id": key_id, "public_key": digits}]}).to_string();
        let signature = Signature(key.sign(&TrialReport::message(&report).unwrap()).to_bytes());
        let file = TrialReport { format: TRIAL_FORMAT.to_owned(), key_id, report, signature };
        (file.to_text().unwrap(), TrustedKeys::from_json(keys.as_bytes()).unwrap())
    }

    #[test]
    fn a_report_holds_and_one_with_any_byte_changed_does_not() {
        let (text, keys) = signed(json!({"listing": "lst_1", "questions": [{"answer": {"rows": 7}}]}));
        assert!(is_trial_report(text.as_bytes()));
        assert_eq!(verify_trial_report(text.as_bytes(), &keys).unwrap().report["listing"], "lst_1");
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] ^= 1;
            assert!(verify_trial_report(&changed, &keys).is_err(), "byte {at}");
        }
        assert!(verify_trial_report(text.trim_end().as_bytes(), &keys).is_err());
    }

    #[test]
    fn a_receipt_is_no_report_and_the_other_way_round() {
        let (text, keys) = signed(json!({}));
        assert!(crate::verify(text.as_bytes(), &keys).is_err());
        assert!(!is_trial_report(br#"{"format":"torv-receipt/2"}"#));
        let (_, others) = {
            let key = SigningKey::from_bytes(&[6; 32]).verifying_key().to_bytes();
            let digits: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
            let text = json!({"keys": [{"key_id": KeyId::of(&key), "public_key": digits}]}).to_string();
            ((), TrustedKeys::from_json(text.as_bytes()).unwrap())
        };
        assert!(matches!(verify_trial_report(text.as_bytes(), &others), Err(Why::UnknownKey(_))));
    }
}
