//! What providers' accounts at the sandbox hold.

use entity::sandbox_object;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QuerySelect as _, sea_query::Expr};
use time::OffsetDateTime;

use super::{
    Sandbox,
    book::{derived_id, insert_new, record},
};
use crate::{
    base::{Currency, Money},
    db::Tx,
    error::Result,
};

/// What an account holds: transfers to it, less what was reversed and what it took out.
pub(super) async fn holds(tx: &Tx, account: &str, currency: Currency) -> Result<i64> {
    let sums: Vec<(String, i64)> = sandbox_object::Entity::find()
        .select_only()
        .column(sandbox_object::Column::Kind)
        .expr(Expr::cust("CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT)"))
        .filter(sandbox_object::Column::Parent.eq(account))
        .filter(sandbox_object::Column::Currency.eq(currency.code()))
        .filter(sandbox_object::Column::Kind.is_in(["transfer", "reversal", "withdrawal"]))
        .group_by(sandbox_object::Column::Kind)
        .into_tuple()
        .all(tx.conn())
        .await?;
    Ok(sums.into_iter().map(|(kind, minor)| if kind == "transfer" { minor } else { -minor }).sum())
}

/// Takes money out of an account.
pub(super) async fn withdraw(box_: &Sandbox, account: &str, amount: Money, now: OffsetDateTime) -> Result<()> {
    let id = derived_id("wd", &format!("{account}:{amount}:{now}"));
    let row = record(&id, "withdrawal", account, "paid", amount, serde_json::json!({}), now);
    box_.db
        .write("sandbox.withdraw", move |tx| {
            let row = row.clone();
            async move {
                insert_new(&tx, vec![row]).await?;
                Ok(((), tx))
            }
        })
        .await
}
