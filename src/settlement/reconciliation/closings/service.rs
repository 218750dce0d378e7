//! Closing months.

use entity::month_closing;
use serde_json::json;

use super::{
    super::three_way::{self, ThreeWay},
    model, store,
};
use crate::{
    auth::Actor,
    base::{Currency, Money},
    error::{Error, Result},
    ledger::seal,
    people::audit,
    settlement::{
        bank::matching,
        exceptions::{self, Severity},
    },
    state::AppState,
};

/// Rounds after which booking the bank lines of a month is given up.
const BOOKING_ROUNDS_MAX: usize = 10_000;

/// Closes a month: books what waits, looks for exceptions, and freezes the sums with the newest seal's head.
///
/// # Errors
/// `Conflict` when it is closed, has not ended, has something unexplained, or open exceptions graver than `at_most`.
pub async fn close(
    app: &AppState,
    actor: &Actor,
    month: String,
    currency: Currency,
    at_most: Severity,
) -> Result<month_closing::Model> {
    let period = model::period_of(&month)?;
    if store::find(app.db.read(), &month, currency).await?.is_some() {
        return Err(Error::conflict(format!("{month} is closed in {currency}.")));
    }
    if app.clock.now() < period.until.0 {
        return Err(Error::conflict(format!("{month} has not ended.")));
    }
    for _ in 0..BOOKING_ROUNDS_MAX {
        if matching::book_lines(app).await? == 0 {
            break;
        }
    }
    exceptions::detect_now(app, period).await?;
    let sums = three_way::three_way(app, currency, period).await?;
    require_explained(&sums, at_most)?;
    seal::seal_new_entries(app).await?;
    let sealed = store::newest_seal(app.db.read()).await?;
    let sealed = sealed.ok_or_else(|| Error::conflict("Nothing was ever booked, so there is nothing to close."))?;
    let (actor, now, named) = (actor.clone(), app.clock.now(), month.clone());
    app.db
        .write("settlement.close_month", move |tx| {
            let (actor, month, sums, sealed) = (actor.clone(), month.clone(), sums.clone(), sealed.clone());
            async move {
                let detail = json!({"currency": currency, "seal": sealed.0});
                store::insert(&tx, &month, &sums, sealed, actor.account_id, now).await?;
                audit::record(&tx, &actor, "month.close", &month, detail, now).await?;
                Ok(((), tx))
            }
        })
        .await?;
    store::find(app.db.read(), &named, currency).await?.ok_or_else(|| Error::not_found("closing"))
}

fn require_explained(sums: &ThreeWay, at_most: Severity) -> Result<()> {
    if sums.unexplained_minor != 0 {
        let left = Money::new(sums.unexplained_minor, sums.currency);
        let classes: Vec<String> = sums
            .exceptions
            .iter()
            .filter(|sum| sum.open > 0)
            .map(|sum| format!("{} {}", sum.open, sum.class))
            .collect();
        return Err(Error::conflict(format!(
            "{left} are unexplained ({}). Settle the exceptions first.",
            classes.join(", ")
        )));
    }
    let graver: Vec<String> = sums
        .exceptions
        .iter()
        .filter(|sum| sum.open > 0 && sum.severity > at_most)
        .map(|sum| format!("{} {}", sum.open, sum.class))
        .collect();
    if graver.is_empty() {
        return Ok(());
    }
    Err(Error::conflict(format!("Open exceptions are too grave: {}. Settle them first.", graver.join(", "))))
}
