//! What speaks for a sale: our own records, and the provider's words; handed in or given up by the operator.

use std::fmt::Write as _;

use entity::{
    Timestamp, dispute,
    ids::{DisputeId, GrantId},
};
use serde_json::json;
use time::format_description::well_known::Rfc3339;

use super::{model, service::follow, store};
use crate::{
    auth::Actor,
    error::{Error, Problem, Result},
    limits,
    people::audit,
    ports::payments::{Dispute, Evidence, PaymentsError},
    state::AppState,
    trade::orders::{OrderFacts, store as orders},
};

/// Deliveries named one by one; more are only counted.
const DELIVERIES_TOLD_MAX: u64 = 50;

/// Keeps the provider's words; they replace earlier ones, and go with our records when the operator
/// hands the evidence in.
///
/// # Errors
/// `NotFound` for a dispute about somebody else's sale; `Conflict` when evidence is not waited for.
pub async fn give_statement(app: &AppState, actor: &Actor, id: DisputeId, statement: String) -> Result<()> {
    let (row, facts) = load(app, id).await?;
    if !facts.is_sold_by(actor.org_id()) {
        return Err(Error::not_found("dispute"));
    }
    let (now, actor, order) = (app.clock.now(), actor.clone(), row.order_id);
    app.db
        .write("trade.give_evidence", move |tx| {
            let (actor, statement) = (actor.clone(), statement.clone());
            async move {
                orders::lock(&tx, order).await?;
                let row = store::find(tx.conn(), id).await?.ok_or_else(|| Error::not_found("dispute"))?;
                model::require_answerable(&row)?;
                store::replace(&tx, dispute::Model { statement: Some(statement), ..row }).await?;
                audit::record(&tx, &actor, "dispute.give_evidence", id, json!({}), now).await?;
                Ok(((), tx))
            }
        })
        .await
}

/// Hands our records and the provider's words in, for good.
///
/// # Errors
/// `NotFound`; `Conflict` when evidence is not waited for, or the processor refuses it; `Unavailable`
/// when it does not answer: repeating it is safe.
pub async fn submit(app: &AppState, actor: &Actor, id: DisputeId) -> Result<()> {
    let (row, facts) = load(app, id).await?;
    model::require_answerable(&row)?;
    let evidence = assemble(app, &row, &facts).await?;
    record(app, actor, id, "dispute.submit").await?;
    app.db.faults().step(|| "payments.submit_evidence: before call".to_owned())?;
    let told = answered(app.payments.submit_evidence(&row.processor_ref, &evidence).await)?;
    app.db.faults().step(|| "payments.submit_evidence: after call".to_owned())?;
    follow(app, &told, None).await
}

/// Gives a dispute up: it is lost at once.
///
/// # Errors
/// As [`submit`].
pub async fn accept(app: &AppState, actor: &Actor, id: DisputeId) -> Result<()> {
    let (row, _) = load(app, id).await?;
    if !model::OPEN.contains(&row.state) {
        let state = row.state.as_str().replace('_', " ");
        return Err(Error::conflict(format!("Only an open dispute can be given up: this one is {state}.")));
    }
    record(app, actor, id, "dispute.accept").await?;
    app.db.faults().step(|| "payments.accept_dispute: before call".to_owned())?;
    let told = answered(app.payments.accept_dispute(&row.processor_ref).await)?;
    app.db.faults().step(|| "payments.accept_dispute: after call".to_owned())?;
    follow(app, &told, None).await
}

async fn load(app: &AppState, id: DisputeId) -> Result<(dispute::Model, OrderFacts)> {
    let row = store::find(app.db.read(), id).await?.ok_or_else(|| Error::not_found("dispute"))?;
    let facts = orders::load(app.db.read(), row.order_id).await?;
    Ok((row, facts))
}

async fn record(app: &AppState, actor: &Actor, id: DisputeId, action: &'static str) -> Result<()> {
    let (now, actor) = (app.clock.now(), actor.clone());
    app.db
        .write("trade.record_dispute", move |tx| {
            let actor = actor.clone();
            async move { Ok((audit::record(&tx, &actor, action, id, json!({}), now).await?, tx)) }
        })
        .await
}

fn answered(answer: Result<Dispute, PaymentsError>) -> Result<Dispute> {
    answer.map_err(|error| match error {
        PaymentsError::Refused { text, .. } => Error::conflict(text),
        error => Error::new(Problem::Unavailable, "The processor has not answered. Try again.").because(error),
    })
}

/// The evidence as it would be handed in now: delivery records, the accepted licence, the description.
///
/// # Errors
/// Those of the database.
pub async fn assemble(app: &AppState, row: &dispute::Model, facts: &OrderFacts) -> Result<Evidence> {
    let conn = app.db.read();
    let mut description = String::new();
    for listing in store::listings(conn, facts.lines().map(|line| line.listing_id).collect()).await? {
        let (title, summary) = (english(&listing.title), english(&listing.summary));
        // Writing to a string can't fail.
        let _ = writeln!(description, "{title} ({}): {summary}", listing.id);
    }
    let mut licence = String::new();
    for line in facts.lines() {
        let (at, by) = (instant(facts.order.created_at)?, facts.order.placed_by);
        let by = by.map_or_else(|| facts.order.buyer_id.to_string(), |by| by.to_string());
        let _ = writeln!(
            licence,
            "Line {}: the licence with SHA-256 {} was accepted at {at} by {by}.",
            line.line_no, line.licence_hash
        );
    }
    let _ = writeln!(licence, "The buyer said what the data is for: {}", facts.order.use_case);
    Ok(Evidence {
        product_description: shortened(&description),
        delivery_record: shortened(&delivery_record(app, facts).await?),
        licence_record: shortened(&licence),
        statement: shortened(row.statement.as_deref().unwrap_or_default()),
    })
}

async fn delivery_record(app: &AppState, facts: &OrderFacts) -> Result<String> {
    let grants = store::grants_of(app.db.read(), facts.order.id).await?;
    let mut text = String::new();
    for grant in &grants {
        let _ = writeln!(text, "Access {} was given at {}.", grant.id, instant(grant.starts_at)?);
    }
    let ids: Vec<GrantId> = grants.iter().map(|grant| grant.id).collect();
    let (deliveries, count) = store::deliveries(app.db.read(), ids, DELIVERIES_TOLD_MAX).await?;
    let _ = writeln!(text, "The data was downloaded {count} times.");
    for row in deliveries {
        let _ = writeln!(text, "{}: {} bytes of {}", instant(row.at)?, row.bytes_sent, row.file_id);
    }
    Ok(text)
}

/// The English text of several languages, or the first.
fn english(texts: &serde_json::Value) -> String {
    let any = || texts.as_object().and_then(|texts| texts.values().next());
    texts.get("en").or_else(any).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}

fn instant(at: Timestamp) -> Result<String> {
    at.0.format(&Rfc3339).map_err(Error::internal)
}

fn shortened(text: &str) -> String {
    text.chars().take(limits::EVIDENCE_CHARS_MAX).collect()
}
