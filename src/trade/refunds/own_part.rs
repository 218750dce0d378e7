//! What the parties of a refund are shown of it: a provider among several what it takes of its own lines, and nobody
//! but the operator why the processor lets it wait.

use std::collections::HashMap;

use entity::{
    ids::{OrderId, OrgId},
    refund,
    states::RefundState,
};

use super::model;
use crate::{
    error::Result,
    state::AppState,
    trade::{
        orders::{OrderFacts, store as orders},
        reductions::{self, Parts},
    },
};

/// Said of a refund that the processor did not take at the first try. Why is the operator's to mend: its balance there
/// may not hold the amount yet.
const ON_ITS_WAY: &str = "It is on its way: the payment processor has not taken it yet, and is asked again by itself.";

/// The refunds as `org` is shown them: of an order that others sold as well, over what is its own.
pub(super) async fn shown_to(app: &AppState, org: OrgId, mut rows: Vec<refund::Model>) -> Result<Vec<refund::Model>> {
    for row in rows.iter_mut().filter(|row| row.state == RefundState::Approved && row.failure_text.is_some()) {
        row.failure_text = Some(ON_ITS_WAY.to_owned());
    }
    let others: Vec<OrderId> = rows.iter().filter(|row| row.buyer_id != org).map(|row| row.order_id).collect();
    if others.is_empty() {
        return Ok(rows);
    }
    let facts = orders::load_all(app.db.read(), &others).await?;
    let facts: HashMap<OrderId, OrderFacts> = facts.into_iter().map(|facts| (facts.order.id, facts)).collect();
    for row in &mut rows {
        let shared = facts.get(&row.order_id).filter(|facts| model::sole_provider(facts).is_none());
        if let Some(facts) = shared.filter(|facts| facts.is_sold_by(org)) {
            row.amount_minor = own_minor(app, org, row, facts).await?;
        }
    }
    Ok(rows)
}

async fn own_minor(app: &AppState, org: OrgId, row: &refund::Model, facts: &OrderFacts) -> Result<i64> {
    let conn = app.db.read();
    let booked = reductions::of_source(conn, row.id.0).await?;
    let parts = if !booked.is_empty() {
        booked
    } else if matches!(row.state, RefundState::Requested | RefundState::Escalated) {
        let earlier = reductions::active(conn, facts).await?;
        reductions::split_off(&reductions::parts_of(facts), &earlier, row.amount_minor)?
    } else {
        let whole = reductions::parts_of(facts);
        let nothing: Vec<Parts> =
            whole.iter().map(|part| Parts { provider_minor: 0, operator_minor: 0, tax_minor: 0, ..*part }).collect();
        reductions::split_off(&whole, &nothing, row.amount_minor)?
    };
    let own: Vec<Parts> = parts.into_iter().filter(|part| part.provider == org).collect();
    Ok(reductions::taken(&own)?)
}
