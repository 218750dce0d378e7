//! Looking for what waits for its documents.

use entity::{
    Timestamp,
    ids::{OrderId, OrgId},
};
use uuid::Uuid;

use super::{
    credit, facts,
    issue::{Claim, issue},
    sale, store,
};
use crate::{
    error::{Problem, Result},
    people::tax_profiles,
    state::AppState,
};

/// Orders or refunds looked at in one go.
const BATCH: u64 = 50;

/// Issues the documents of paid orders, of refunds and lost disputes, corrections of credit notes whose refund was
/// undone, and pro formas; returns how many.
///
/// Before the exchange has an operator, nothing is issued. One that fails is told and does not keep others waiting.
/// Safe to run at any time in any number of processes.
///
/// # Errors
/// Those of the database.
pub async fn issue_due(app: &AppState) -> Result<usize> {
    let Some(operator) = tax_profiles::operator_id(app.db.read()).await? else { return Ok(0) };
    let mut issued = of_orders(app, operator).await?;
    issued += of_reductions(app, operator).await?;
    issued += corrections(app, operator).await?;
    issued += pro_formas(app, operator).await?;
    Ok(issued)
}

async fn of_orders(app: &AppState, operator: OrgId) -> Result<usize> {
    let (mut issued, mut after): (usize, Option<(Timestamp, OrderId)>) = (0, None);
    loop {
        let due = store::orders_due(app.db.read(), after, BATCH).await?;
        let Some(last) = due.last().copied() else { return Ok(issued) };
        after = Some(last);
        for (_, order) in due {
            issued += told(order, of_order(app, order, operator).await)?;
        }
    }
}

async fn of_order(app: &AppState, order: OrderId, operator: OrgId) -> Result<usize> {
    let facts = facts::load(app.db.read(), order, operator).await?;
    let planned = sale::of_order(&facts, app.clock.now())?;
    issue(app, Claim::Order(order), planned, order).await
}

/// One batch at a time: the credit notes of an order build on each other.
async fn of_reductions(app: &AppState, operator: OrgId) -> Result<usize> {
    let mut issued = 0;
    for (source, order) in store::reductions_due(app.db.read(), BATCH).await? {
        issued += told(order, of_reduction(app, source, order, operator).await)?;
    }
    Ok(issued)
}

async fn of_reduction(app: &AppState, source: Uuid, order: OrderId, operator: OrgId) -> Result<usize> {
    let conn = app.db.read();
    let facts = facts::load(conn, order, operator).await?;
    let (parts, documents) = (store::parts_of(conn, source).await?, store::of_order(conn, order).await?);
    let planned = credit::of_reduction(&facts, source, &parts, &documents, app.clock.now())?;
    issue(app, Claim::Reduction { source, order, seen: documents.len() }, planned, order).await
}

/// After the credit notes, which they correct.
async fn corrections(app: &AppState, operator: OrgId) -> Result<usize> {
    let mut issued = 0;
    for (source, order) in store::corrections_due(app.db.read(), BATCH).await? {
        issued += told(order, correction(app, source, order, operator).await)?;
    }
    Ok(issued)
}

async fn correction(app: &AppState, source: Uuid, order: OrderId, operator: OrgId) -> Result<usize> {
    let conn = app.db.read();
    let facts = facts::load(conn, order, operator).await?;
    let documents = store::of_order(conn, order).await?;
    let planned = credit::of_undone(&facts, source, &documents, app.clock.now())?;
    issue(app, Claim::Correction { source, order, seen: documents.len() }, planned, order).await
}

async fn pro_formas(app: &AppState, operator: OrgId) -> Result<usize> {
    let mut issued = 0;
    for order in store::pro_formas_due(app.db.read(), BATCH).await? {
        issued += told(order, pro_forma(app, order, operator).await)?;
    }
    Ok(issued)
}

async fn pro_forma(app: &AppState, order: OrderId, operator: OrgId) -> Result<usize> {
    let facts = facts::load(app.db.read(), order, operator).await?;
    let planned = sale::pro_forma(&facts, app.clock.now())?;
    issue(app, Claim::ProForma(order), planned, order).await
}

/// Tells of a failure of one order, which is tried again with the next sweep, and goes on. A busy database ends the
/// sweep.
fn told(order: OrderId, outcome: Result<usize>) -> Result<usize> {
    match outcome {
        Err(error) if error.problem != Problem::Unavailable => {
            let cause = error.cause.as_ref().map(ToString::to_string).unwrap_or_default();
            tracing::error!(order.id = %order, "the documents of an order are not issued yet: {error}: {cause}");
            Ok(0)
        }
        outcome => outcome,
    }
}
