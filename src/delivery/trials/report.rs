//! The report: questions, answers, how they were protected, and the exchange's signature over all of it.

use entity::{ids::TrialReportId, listing};
use serde_json::{Map, Value, json};
use time::{Date, OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};
use torv_receipt::{Signature, TRIAL_FORMAT, TrialReport};
use torv_trial::{Answer, DELTA};

use super::policy::TrialPolicyIn;
use crate::{
    auth::signing,
    catalog::profile::Profile,
    delivery::tables::TableFile,
    error::{Error, Result},
    limits,
    settlement::proof::Signer,
};

/// One question with its answer.
pub(super) struct Answered {
    pub(super) question: Value,
    pub(super) fingerprint: String,
    pub(super) answer: Answer,
}

/// What a report is about, and for whom.
pub(super) struct Subject<'a> {
    pub(super) id: TrialReportId,
    pub(super) listing: &'a listing::Model,
    pub(super) asked_by: entity::ids::OrgId,
    pub(super) asked_at: OffsetDateTime,
    pub(super) table: &'a TableFile,
    /// What anybody is shown of the file.
    pub(super) profile: Option<Profile>,
}

/// The signed file.
///
/// # Errors
/// Internal ones alone.
pub(super) fn sign(
    subject: &Subject<'_>,
    policy: &TrialPolicyIn,
    answered: &[Answered],
    signer: &Signer,
) -> Result<String> {
    let (buyer_milli, listing_milli) = policy.budgets_milli();
    let questions: Vec<Value> = answered
        .iter()
        .map(|one| json!({"question": one.question, "fingerprint": one.fingerprint, "answer": one.answer}))
        .collect();
    let mut report = json!({
        "id": subject.id,
        "listing": subject.listing.id,
        "provider": subject.listing.organization_id,
        "asked_by": subject.asked_by,
        "asked_at": subject.asked_at.format(&Rfc3339).map_err(Error::internal)?,
        "file": subject.table.name,
        "revision": subject.table.number,
        "table_sha256": subject.table.sha256,
        "protection": {
            "hides": "one row",
            "noise": "discrete Laplace, the same whenever the same is asked",
            "epsilon_milli": policy.epsilon_milli,
            "delta": DELTA,
            "min_group_size": policy.min_group_size,
            "window_days": limits::TRIAL_WINDOW_DAYS,
            "buyer_epsilon_milli": buyer_milli,
            "listing_epsilon_milli": listing_milli,
        },
        "questions": questions,
    });
    if let Some(extent) = subject.profile.as_ref().and_then(extent) {
        report["shown_extent"] = extent;
    }
    let signature = Signature(signing::sign(&signer.private_key, &TrialReport::message(&report)?)?);
    let file = TrialReport { format: TRIAL_FORMAT.to_owned(), key_id: signer.key_id.clone(), report, signature };
    Ok(file.to_text()?)
}

/// Where and when the rows lie, as the listing shows it to everybody, rounded outward: days to months, degrees to
/// tenths.
fn extent(profile: &Profile) -> Option<Value> {
    let extent = profile.extent.as_ref()?;
    let mut shown = Map::new();
    let day = |text: &Option<String>| {
        Date::parse(text.as_deref()?.get(..10)?, format_description!("[year]-[month]-[day]")).ok()
    };
    if let (Some(from), Some(to)) = (day(&extent.from), day(&extent.to)) {
        let month = |day: Date| format!("{:04}-{:02}", day.year(), u8::from(day.month()));
        shown.insert("months".to_owned(), json!([month(from), month(to)]));
    }
    if let Some([west, south, east, north]) = extent.bbox {
        let (down, up) = (|x: f64| (x * 10.0).floor() / 10.0, |x: f64| (x * 10.0).ceil() / 10.0);
        let box_of = [down(west), down(south), up(east), up(north)].map(|degrees| format!("{degrees:.1}"));
        shown.insert("bbox".to_owned(), json!(box_of));
    }
    (!shown.is_empty()).then_some(Value::Object(shown))
}
