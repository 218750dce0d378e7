//! The public tree against its leaves, its signed heads, and the books.

use std::collections::VecDeque;

use entity::{proof_head, proof_leaf};
use sea_orm::ConnectionTrait;
use torv_receipt::{Hash, Statement, TrustedKeys, canonical_json};

use super::{heads, nodes::Nodes, store};
use crate::{
    base::{Invariant, digest},
    error::{Error, Result},
    settlement::verify::VerifyReport,
};

/// Leaves or heads read in one go.
const PAGE_ROWS: u64 = 500;

/// Hashes every statement again, rebuilds the tree, and compares each signed head with it.
///
/// # Errors
/// Those of the database; what is wrong is in the report.
pub async fn check(
    conn: &impl ConnectionTrait,
    report: &mut VerifyReport,
    progress: &mut impl FnMut(&str, u64),
) -> Result<()> {
    let keys = trusted_keys(conn).await?;
    let (mut nodes, mut size) = (Nodes::default(), 0_i64);
    let mut heads = Heads::default();
    loop {
        heads.judge(conn, report, &keys, &nodes, size).await?;
        let page = store::leaves_from(conn, size, PAGE_ROWS).await?;
        if page.is_empty() {
            break;
        }
        for row in &page {
            check_leaf(row, size, report);
            let index = u64::try_from(size).map_err(Error::internal)?;
            nodes.append(index, row.leaf.parse::<Hash>().map_err(Error::internal)?)?;
            nodes.keep_edge(index + 1);
            size += 1;
            report.proof_leaves += 1;
            heads.judge(conn, report, &keys, &nodes, size).await?;
        }
        progress("leaves of the public tree", report.proof_leaves);
    }
    heads.beyond(report, size);
    let told = store::progress(conn).await?.size;
    report.hold(Invariant::Chain, told == size, || format!("the public tree has {size} leaves, not {told}"));
    Ok(())
}

fn check_leaf(row: &proof_leaf::Model, position: i64, report: &mut VerifyReport) {
    let name = &row.event;
    report
        .hold(Invariant::Chain, row.position == position, || format!("leaf {position} of the public tree is missing"));
    let statement = serde_json::from_str::<Statement>(&row.statement);
    // The leaf is the hash of what the text says, so the text must be the one way to say it.
    let same = statement.as_ref().is_ok_and(|said| {
        said.leaf().is_ok_and(|leaf| row.leaf == leaf.to_string())
            && canonical_json(said).is_ok_and(|text| text == row.statement)
    });
    report.hold(Invariant::Chain, same, || format!("the leaf of {name} is not the hash of its statement"));
    let agrees = statement.is_ok_and(|said| {
        let parts = (said.total_minor, said.providers_minor, said.operator_minor, said.tax_minor);
        said.event == row.event
            && said.order == row.order_id.to_string()
            && said.currency == row.currency
            && parts == (row.total_minor, row.providers_minor, row.operator_minor, row.tax_minor)
            && said.adds_up()
    });
    report.hold(Invariant::Chain, agrees, || format!("the statement of {name} says something else than its row"));
}

/// Every public key there has been, as outsiders read them; none before the first head.
async fn trusted_keys(conn: &impl ConnectionTrait) -> Result<TrustedKeys> {
    let keys = store::keys(conn).await?;
    if keys.is_empty() {
        return Ok(TrustedKeys::default());
    }
    let keys: Vec<_> = keys
        .iter()
        .map(|key| serde_json::json!({"key_id": key.key_id, "public_key": digest::hex(&key.public_key)}))
        .collect();
    TrustedKeys::from_json(serde_json::json!({ "keys": keys }).to_string().as_bytes()).map_err(Error::internal)
}

/// The heads that are still to be compared, in the order of signing.
#[derive(Default)]
struct Heads {
    waiting: VecDeque<proof_head::Model>,
    read: i64,
}

impl Heads {
    /// Compares the heads over exactly the leaves that are here.
    async fn judge(
        &mut self,
        conn: &impl ConnectionTrait,
        report: &mut VerifyReport,
        keys: &TrustedKeys,
        nodes: &Nodes,
        size: i64,
    ) -> Result<()> {
        loop {
            if self.waiting.is_empty() {
                self.waiting.extend(store::heads_after(conn, self.read, PAGE_ROWS).await?);
                self.read = self.waiting.back().map_or(self.read, |head| head.number);
            }
            let Some(row) = self.waiting.front().filter(|head| head.size <= size) else { return Ok(()) };
            let (head, signature) = heads::stored(row)?;
            let leaves = u64::try_from(size).map_err(Error::internal)?;
            let same = row.size == size && head.root == nodes.root(leaves);
            report.hold(Invariant::Chain, same, || {
                format!("the tree head {} is not the root over its leaves", row.number)
            });
            let signed = keys.have_signed(&head, &signature);
            report.hold(Invariant::Chain, signed, || {
                format!("the signature of the tree head {} does not hold", row.number)
            });
            report.proof_heads += 1;
            self.waiting.pop_front();
        }
    }

    fn beyond(&self, report: &mut VerifyReport, size: i64) {
        for head in &self.waiting {
            report.hold(Invariant::Chain, false, || {
                format!("the tree head {} is over more than {size} leaves", head.number)
            });
        }
    }
}
