//! The receipt of an order, for its parties.

use entity::ids::{OrderId, OrgId};
use torv_receipt::{Hash, Receipt, Statement, merkle};

use super::{heads, nodes::Nodes, store};
use crate::{
    error::{Error, Result},
    state::AppState,
};

/// Which receipt is asked for, and by whom.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    /// The order.
    pub order: OrderId,
    /// Who asks.
    pub organization: OrgId,
    /// Which of the order's events: 1 is the sale, later ones took a part of it back.
    pub number: usize,
}

/// The bytes of the receipt.
///
/// # Errors
/// `NotFound` for an order that is not the asker's, or has no such event; `Conflict` before it is
/// completed, and until a signed head covers it.
pub async fn receipt_of(app: &AppState, request: Request) -> Result<Vec<u8>> {
    let conn = app.db.read();
    let orders = store::orders(conn, &[request.order]).await?;
    let Some((order, lines)) = orders.get(&request.order) else {
        return Err(not_completed(app, request).await?);
    };
    let org = request.organization;
    if order.buyer_id != org && !lines.iter().any(|line| line.provider_id == org) {
        return Err(Error::not_found("order"));
    }
    let leaves = store::leaves_of(conn, request.order).await?;
    let soon = || Error::conflict("The receipt is ready as soon as a signed tree head covers it, within minutes.");
    let leaf = match leaves.get(request.number.saturating_sub(1)) {
        Some(leaf) => leaf,
        None if leaves.is_empty() => return Err(soon()),
        None => return Err(Error::not_found("event of this order")),
    };
    let (tree_head, signature) = heads::stored(&store::head_over(conn, leaf.position).await?.ok_or_else(soon)?)?;
    let index = u64::try_from(leaf.position).map_err(Error::internal)?;
    let proof = Nodes::build(conn, |mut hash| merkle::inclusion_proof(index, tree_head.size, &mut hash)).await?;
    let whole: Statement = serde_json::from_str(&leaf.statement)?;
    // A partner of a bundle is shown its own lines; the buyer all.
    let asker = org.to_string();
    let statement = whole.for_reader(|line| order.buyer_id == org || line.provider == asker)?;
    let receipt = Receipt {
        format: statement.format().to_owned(),
        statement,
        leaf: leaf.leaf.parse::<Hash>().map_err(Error::internal)?,
        index,
        proof,
        tree_head,
        signature,
    };
    Ok(receipt.to_bytes()?)
}

/// Tells a party that its order is not completed; anybody else hears what they hear of no order at all.
async fn not_completed(app: &AppState, request: Request) -> Result<Error> {
    let party = store::is_party(app.db.read(), request.order, request.organization).await?;
    Ok(if party {
        Error::conflict("There is a receipt once the order is completed.")
    } else {
        Error::not_found("order")
    })
}
