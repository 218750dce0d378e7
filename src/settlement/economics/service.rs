//! Putting the figures together.

use std::collections::BTreeMap;

use entity::Timestamp;

use super::{model::CurrencyEconomics, store};
use crate::{base::Currency, error::Result, state::AppState};

/// What the sales booked from `from` to before `until` left over, by currency, with the `top` largest providers.
///
/// # Errors
/// Those of the database; [`crate::base::MoneyError::Overflow`].
pub async fn economics(app: &AppState, from: Timestamp, until: Timestamp, top: u64) -> Result<Vec<CurrencyEconomics>> {
    let conn = app.db.read();
    let mut of: BTreeMap<Currency, CurrencyEconomics> = BTreeMap::new();
    for (currency, sum) in store::ledger_sums(conn, from, until).await? {
        of.entry(currency).or_insert_with(|| CurrencyEconomics::empty(currency)).add(&sum)?;
    }
    let mut all: Vec<CurrencyEconomics> = of.into_values().collect();
    for figures in &mut all {
        figures.close()?;
        figures.by_offer_kind = store::by_offer_kind(conn, figures.currency, from, until).await?;
        figures.top_providers = store::top_providers(conn, figures.currency, from, until, top).await?;
        figures.discount_minor = figures.by_offer_kind.iter().map(|group| group.discount_minor).sum();
    }
    Ok(all)
}
