//! Running a reconciliation and keeping its report.

use entity::{Timestamp, ids::ReconciliationId, reconciliation, states::ExceptionClass};
use serde_json::json;
use time::Duration;

use super::{
    after_sale, balances, documents, lines,
    model::{Findings, Report},
    orders, payouts, store,
};
use crate::{
    auth::Actor,
    error::{Error, Result},
    people::audit,
    settlement::exceptions::{self, NewException},
    state::AppState,
};

/// Rows looked at in one go.
pub const PAGE_ROWS: u64 = 500;

/// From when (included) until when (excluded).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

impl Period {
    /// A period; everything up to now without bounds.
    ///
    /// # Errors
    /// `Invalid` when it ends before it begins.
    pub fn new(app: &AppState, from: Option<Timestamp>, until: Option<Timestamp>) -> Result<Self> {
        let from = from.unwrap_or(Timestamp::from_micros(0));
        let until = until.unwrap_or(Timestamp(app.clock.now() + Duration::microseconds(1)));
        if from < until {
            return Ok(Self { from, until });
        }
        Err(Error::invalid("/until", "Choose an end that comes after the beginning."))
    }
}

/// Compares orders, lines, payouts and balances; changes nothing.
///
/// Orders, lines and payouts of the period are compared with whatever they belong to, in the period or
/// not; balances are those of now. Besides the report it returns what stands apart from every period: balances of the
/// processor that can't be compared to the last unit.
///
/// # Errors
/// `Unavailable` when the processor does not answer; those of the database.
pub async fn reconcile(app: &AppState, period: Period) -> Result<(Report, Vec<NewException>)> {
    let mut findings = Findings::new(app.clock.now());
    let snapshot = balances::snapshot(app, period, &findings).await?;
    orders::check(app.db.read(), period, &mut findings).await?;
    documents::check(app.db.read(), period, &mut findings).await?;
    lines::check(app.db.read(), period, &mut findings).await?;
    payouts::check(app, period, &mut findings).await?;
    after_sale::check(app.db.read(), period, &mut findings).await?;
    let unreadable = balances::check(app, snapshot, &mut findings).await?;
    Ok((findings.finish(), unreadable))
}

/// Runs a reconciliation and keeps its report.
///
/// # Errors
/// As [`reconcile`].
pub async fn run(app: &AppState, actor: &Actor, period: Period) -> Result<reconciliation::Model> {
    let (report, unreadable) = reconcile(app, period).await?;
    let (now, actor) = (app.clock.now(), actor.clone());
    let id = ReconciliationId::at(now);
    app.db
        .write("settlement.keep_reconciliation", move |tx| {
            let (actor, report) = (actor.clone(), report.clone());
            async move {
                store::insert(&tx, id, actor.account_id, period, &report, now).await?;
                let detail = json!({ "differences": report.difference_count() });
                audit::record(&tx, &actor, "reconciliation.run", id, detail, now).await?;
                Ok(((), tx))
            }
        })
        .await?;
    let always = Period::new(app, None, None)?;
    exceptions::detect::keep(app, &[ExceptionClass::UnreadableBalance], always, unreadable).await?;
    store::find(app.db.read(), id).await?.ok_or_else(|| Error::not_found("reconciliation"))
}
