//! Public totals, added up from the leaves.

use entity::{proof_leaf, states::ProofKind};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, FromQueryResult, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, sea_query::Expr,
};
use serde::{Deserialize, Serialize};
use time::Date;

use crate::{
    base::{Currency, MoneyError},
    error::Result,
    settlement::currency,
};

/// What totals are added up over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// Each day, in UTC.
    #[default]
    Day,
    /// Each calendar month, in UTC.
    Month,
}

impl Period {
    /// Characters of a day's text that name the period.
    const fn chars(self) -> i32 {
        match self {
            Self::Day => 10,
            Self::Month => 7,
        }
    }
}

/// What was sold and taken back in a period, in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(title = "TransparencyTotal", example = json!({
    "period": "2026-11", "currency": "EUR", "sales": 12, "gross_minor": 120012, "refunded_minor": 5000, "disputed_minor": 0,
    "providers_minor": 92012, "operator_minor": 23000, "tax_minor": 0
}))]
pub struct Total {
    /// The day or the month.
    pub period: String,
    /// The currency.
    pub currency: Currency,
    /// Completed orders, free ones with them.
    pub sales: i64,
    /// What buyers paid.
    pub gross_minor: i64,
    /// What was refunded.
    pub refunded_minor: i64,
    /// What disputes took back.
    pub disputed_minor: i64,
    /// What providers keep of it: their share of sales, less their share of what went back.
    pub providers_minor: i64,
    /// What the operator keeps of it.
    pub operator_minor: i64,
    /// What of it is tax that the operator owes.
    pub tax_minor: i64,
}

#[derive(FromQueryResult)]
struct Sum {
    period: String,
    currency: String,
    kind: ProofKind,
    leaves: i64,
    total_minor: i64,
    providers_minor: i64,
    operator_minor: i64,
    tax_minor: i64,
}

/// Totals from `from` to `until`, both included, by period and currency.
///
/// # Errors
/// [`MoneyError::Overflow`]; those of the database.
pub async fn totals(conn: &impl ConnectionTrait, from: Date, until: Date, by: Period) -> Result<Vec<Total>> {
    let mut all: Vec<Total> = Vec::new();
    for sum in sums(conn, from, until, by).await? {
        let same = |total: &Total| total.period == sum.period && total.currency.code() == sum.currency;
        if !all.last().is_some_and(same) {
            all.push(empty(sum.period.clone(), currency(&sum.currency)?));
        }
        if let Some(total) = all.last_mut() {
            total.add(&sum)?;
        }
    }
    Ok(all)
}

async fn sums(conn: &impl ConnectionTrait, from: Date, until: Date, by: Period) -> Result<Vec<Sum>> {
    use proof_leaf::Column::{Currency, Day, Kind};
    let period = || Expr::cust(format!("SUBSTR(day, 1, {})", by.chars()));
    let sum = |column: &str| Expr::cust(format!("CAST(SUM({column}) AS BIGINT)"));
    Ok(proof_leaf::Entity::find()
        .select_only()
        .expr_as(period(), "period")
        .columns([Currency, Kind])
        .expr_as(Expr::cust("CAST(COUNT(*) AS BIGINT)"), "leaves")
        .expr_as(sum("total_minor"), "total_minor")
        .expr_as(sum("providers_minor"), "providers_minor")
        .expr_as(sum("operator_minor"), "operator_minor")
        .expr_as(sum("tax_minor"), "tax_minor")
        .filter(Day.between(from.to_string(), until.to_string()))
        .group_by(period())
        .group_by(Expr::col(Currency))
        .group_by(Expr::col(Kind))
        .order_by_asc(period())
        .order_by_asc(Currency)
        .order_by_asc(Kind)
        .into_model()
        .all(conn)
        .await?)
}

fn empty(period: String, currency: Currency) -> Total {
    Total {
        period,
        currency,
        sales: 0,
        gross_minor: 0,
        refunded_minor: 0,
        disputed_minor: 0,
        providers_minor: 0,
        operator_minor: 0,
        tax_minor: 0,
    }
}

impl Total {
    fn add(&mut self, sum: &Sum) -> Result<(), MoneyError> {
        match sum.kind {
            ProofKind::Sale => {
                self.sales = sum.leaves;
                self.gross_minor = sum.total_minor;
            }
            ProofKind::Refund => self.refunded_minor = sum.total_minor.checked_neg().ok_or(MoneyError::Overflow)?,
            ProofKind::Dispute => self.disputed_minor = sum.total_minor.checked_neg().ok_or(MoneyError::Overflow)?,
        }
        for (total, more) in [
            (&mut self.providers_minor, sum.providers_minor),
            (&mut self.operator_minor, sum.operator_minor),
            (&mut self.tax_minor, sum.tax_minor),
        ] {
            *total = total.checked_add(more).ok_or(MoneyError::Overflow)?;
        }
        Ok(())
    }
}
