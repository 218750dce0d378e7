//! Disputes: the money leaves at once, and comes back when the dispute is won.

use serde_json::{Value, json};

use crate::{
    balance::Movement,
    captures,
    error::ApiError,
    list,
    schedule::Task,
    store::Object,
    world::{Call, PLATFORM, SECONDS_PER_DAY, World},
};

const EVIDENCE_DAYS: i64 = 9;

const EVIDENCE_FIELDS: &[&str] = &[
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
];

/// Opens a dispute over a part of a charge: the amount and a fee leave the balance.
pub fn open(world: &mut World, charge_id: &str, amount: i64, reason: &str) -> Object {
    captures::finish_capture(world, charge_id);
    let charge = world.store.any(charge_id).cloned().unwrap_or_default();
    let account = world.store.owner(charge_id).unwrap_or(PLATFORM).to_owned();
    let id = world.fresh_id("dp");
    let transaction = book(world, &account, &id, charge.text("currency"), -amount);
    let card = &charge.get("payment_method_details")["card"];
    let mut evidence: serde_json::Map<String, Value> =
        EVIDENCE_FIELDS.iter().map(|field| ((*field).to_owned(), Value::Null)).collect();
    evidence.insert("enhanced_evidence".into(), json!({}));
    let dispute = Object::from(json!({
        "id": id,
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [transaction],
        "charge": charge_id,
        "created": world.now,
        "currency": charge.text("currency"),
        "enhanced_eligibility_types": [],
        "evidence": evidence,
        "evidence_details": {
            "due_by": world.now + EVIDENCE_DAYS * SECONDS_PER_DAY,
            "enhanced_eligibility": {},
            "has_evidence": false,
            "past_due": false,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "intended_submission_method": null,
        "is_charge_refundable": false,
        "livemode": false,
        "metadata": {},
        "payment_intent": charge.get("payment_intent"),
        "payment_method_details": {
            "card": {
                "brand": card["brand"].as_str().unwrap_or("visa"),
                "case_type": "chargeback",
                "network": card["brand"].as_str().unwrap_or("visa"),
                "network_reason_code": "83",
            },
            "type": "card",
        },
        "reason": reason,
        "status": "needs_response",
    }));
    world.store.add(&account, dispute.clone());
    world.store.edit(charge_id, |charge| charge.set("disputed", true));
    world.emit("charge.dispute.created", &id);
    world.emit("charge.dispute.funds_withdrawn", &id);
    dispute
}

/// Books a withdrawal (negative, with the fee) or a reinstatement and returns the whole balance transaction.
fn book(world: &mut World, account: &str, dispute: &str, currency: &str, amount: i64) -> Value {
    let (settled, currency, exchange_rate) = world.settled(amount, currency);
    let withdrawn = amount < 0;
    let transaction = world.book(&Movement {
        account,
        kind: "adjustment",
        category: if withdrawn { "dispute" } else { "dispute_reversal" },
        amount: settled,
        fee: if withdrawn { world.settings.fees.dispute_minor } else { 0 },
        currency: &currency,
        available_on: world.now,
        source: dispute,
        description: Some(if withdrawn { "Chargeback withdrawal" } else { "Chargeback reversal" }),
        exchange_rate,
    });
    world.store.any(&transaction).map(Object::value).unwrap_or_default()
}

fn is_closed(dispute: &Object) -> bool {
    matches!(dispute.text("status"), "won" | "lost" | "warning_closed" | "prevented")
}

/// Decides an open dispute; one that is closed stays as it is.
pub fn resolve(world: &mut World, id: &str, won: bool) {
    let Some(dispute) = world.store.any(id).filter(|dispute| !is_closed(dispute)).cloned() else { return };
    let account = world.store.owner(id).unwrap_or(PLATFORM).to_owned();
    let reinstated = won.then(|| book(world, &account, id, dispute.text("currency"), dispute.integer("amount")));
    world.store.edit(id, |dispute| {
        dispute.set("status", if won { "won" } else { "lost" });
        if let (Some(transaction), Value::Array(mut all)) = (reinstated, dispute.get("balance_transactions").clone()) {
            all.push(transaction);
            dispute.set("balance_transactions", all);
        }
    });
    if won {
        world.store.edit(dispute.text("charge"), |charge| charge.set("disputed", false));
    }
    world.emit("charge.dispute.closed", id);
    if won {
        world.emit("charge.dispute.funds_reinstated", id);
    }
}

/// `GET /v1/disputes/{id}`
pub fn retrieve(world: &World, call: &Call, id: &str) -> Result<Value, ApiError> {
    call.params.allow(&[])?;
    Ok(world.store.find(&call.account, "dispute", id)?.value())
}

/// `GET /v1/disputes`
pub fn list(world: &World, call: &Call) -> Result<Value, ApiError> {
    let params = &call.params;
    params.allow(&[list::PAGE, list::CREATED, &["charge", "payment_intent"]].concat())?;
    list::page(world, call, "dispute", "/v1/disputes", |dispute| {
        ["charge", "payment_intent"]
            .iter()
            .all(|field| params.text(field).is_none_or(|text| dispute.text(field) == text))
    })
}

/// `POST /v1/disputes/{id}`: evidence, and its submission. The words `winning_evidence` and `losing_evidence` as
/// uncategorized text decide the dispute, as in Stripe's test mode; anything else leaves it under review.
pub fn update(world: &mut World, call: &Call, id: &str) -> Result<Value, ApiError> {
    let params = &call.params;
    let evidence: Vec<String> = EVIDENCE_FIELDS.iter().map(|field| format!("evidence.{field}")).collect();
    let known: Vec<&str> = evidence.iter().map(String::as_str).chain(["submit", "metadata.*"]).collect();
    params.allow(&known)?;
    let submit = params.flag("submit")?.unwrap_or(true) && params.has("evidence");
    let dispute = world.store.find(&call.account, "dispute", id)?;
    if params.has("evidence") && dispute.text("status") != "needs_response" {
        let message = format!("This dispute is {}: its evidence can't be changed any more.", dispute.text("status"));
        return Err(ApiError::refused("", message));
    }
    world.update_metadata(call, &dispute)?;
    let dispute = world.store.edit(id, |dispute| {
        let mut evidence = dispute.get("evidence").clone();
        for field in EVIDENCE_FIELDS {
            if let Some(text) = params.text(&format!("evidence.{field}")) {
                evidence[*field] = json!(text);
            }
        }
        dispute.set("evidence", evidence);
        let mut details = dispute.get("evidence_details").clone();
        if params.has("evidence") {
            details["has_evidence"] = json!(true);
        }
        if submit {
            details["submission_count"] = json!(1);
            details["submission_method"] = json!("manual");
            dispute.set("status", "under_review");
        }
        dispute.set("evidence_details", details);
    });
    world.emit("charge.dispute.updated", id);
    let decision = match dispute.get("evidence")["uncategorized_text"].as_str() {
        Some("winning_evidence") => Some(true),
        Some("losing_evidence") => Some(false),
        _ => None,
    };
    if let (true, Some(won)) = (submit, decision) {
        world.schedule.plan(world.now, Task::ResolveDispute { dispute: id.to_owned(), won });
    }
    Ok(dispute.value())
}

/// `POST /v1/disputes/{id}/close`: accepts the dispute, which is lost thereby.
pub fn close(world: &mut World, call: &Call, id: &str) -> Result<Value, ApiError> {
    call.params.allow(&[])?;
    let dispute = world.store.find(&call.account, "dispute", id)?;
    if is_closed(&dispute) {
        return Err(ApiError::refused("", format!("This dispute is already {}.", dispute.text("status"))));
    }
    resolve(world, id, false);
    retrieve(world, call, id)
}
