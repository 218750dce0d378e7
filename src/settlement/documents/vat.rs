//! What the operator owes each country in a period, from the `vat.*` accounts of the ledger.

use std::collections::BTreeMap;

use entity::{Timestamp, ledger_account, ledger_entry, posting};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, JoinType, QueryFilter as _, QuerySelect as _, RelationDef,
    RelationTrait as _, sea_query::Expr,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    base::{Money, MoneyError},
    error::Result,
    settlement::currency,
};

/// What is behind the country in the code of an account for tax that is owed back.
const INPUT_SUFFIX: &str = ".input";

/// A country's tax of a period in one currency: `payable = output − input`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(example = json!({
    "country": "DK", "output": {"minor": 2500, "currency": "EUR"}, "input": {"minor": 0, "currency": "EUR"},
    "payable": {"minor": 2500, "currency": "EUR"}
}))]
pub struct VatLine {
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// Tax on what the operator sold, less what refunds took back.
    pub output: Money,
    /// Tax that providers charged the operator, as far as its own country gives it back.
    pub input: Money,
    /// What is owed.
    pub payable: Money,
}

fn entry_of() -> RelationDef {
    posting::Relation::LedgerEntry.def()
}

fn account_of() -> RelationDef {
    posting::Relation::LedgerAccount.def()
}

/// The lines of a period by effective time, `from` included, `until` excluded.
///
/// # Errors
/// Those of the database; `Invalid` for a sum that does not fit.
pub async fn summary(conn: &impl ConnectionTrait, from: Timestamp, until: Timestamp) -> Result<Vec<VatLine>> {
    let rows: Vec<(String, String, i64)> = posting::Entity::find()
        .select_only()
        .column(ledger_account::Column::Code)
        .column(posting::Column::Currency)
        .expr(Expr::cust("CAST(SUM(amount_minor) AS BIGINT)"))
        .join(JoinType::InnerJoin, entry_of())
        .join(JoinType::InnerJoin, account_of())
        .filter(ledger_account::Column::Code.starts_with("vat."))
        .filter(ledger_entry::Column::EffectiveAt.gte(from))
        .filter(ledger_entry::Column::EffectiveAt.lt(until))
        .group_by(ledger_account::Column::Code)
        .group_by(posting::Column::Currency)
        .into_tuple()
        .all(conn)
        .await?;
    let mut of: BTreeMap<(String, String), (i64, i64)> = BTreeMap::new();
    for (code, currency, sum) in rows {
        let name = code.trim_start_matches("vat.");
        let country = name.trim_end_matches(INPUT_SUFFIX).to_ascii_uppercase();
        let (output, input) = of.entry((country, currency)).or_default();
        if name.ends_with(INPUT_SUFFIX) {
            *input = sum;
        } else {
            *output = sum.checked_neg().ok_or(MoneyError::Overflow)?;
        }
    }
    let line = |((country, code), (output, input)): ((String, String), (i64, i64))| {
        let currency = currency(&code)?;
        let payable = output.checked_sub(input).ok_or(MoneyError::Overflow)?;
        let money = |minor| Money::new(minor, currency);
        Ok(VatLine { country, output: money(output), input: money(input), payable: money(payable) })
    };
    of.into_iter().map(line).collect()
}
