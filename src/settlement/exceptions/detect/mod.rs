//! Looking through orders, processor lines, reports, payouts and statements for what does not agree.
//!
//! What is found is opened once; what is not found any more closes itself. It runs after every import,
//! before a month is closed, and every hour.

mod orders;
mod payouts;
mod reports;
mod statements;

use std::collections::{HashMap, HashSet};

use entity::{Timestamp, exception_detection, ids::ExceptionId, states::ExceptionClass};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QuerySelect as _, sea_query::Expr,
};
use time::Duration;

use super::{NewException, store};
use crate::{
    db::Tx,
    error::Result,
    settlement::{bank::matching, reconciliation::Period},
    state::AppState,
};

pub use orders::{Compared, Cutoff, compare};

/// How long ago everything may have been looked through without a reason to do it again.
const INTERVAL_MINUTES: i64 = 60;
/// How far back everything is looked through by itself.
const LOOK_BACK_DAYS: i64 = 62;
/// How long a record may wait for its counterpart before that is an exception.
pub const YOUNG_MINUTES: i64 = 60;
/// Classes that are found here, and close themselves when they are not found any more.
const FOUND_HERE: [ExceptionClass; 13] = [
    ExceptionClass::MissingBalanceLine,
    ExceptionClass::DuplicateBalanceLine,
    ExceptionClass::ChargeAmountDiffers,
    ExceptionClass::OrphanCharge,
    ExceptionClass::OrphanRefund,
    ExceptionClass::FeeMismatch,
    ExceptionClass::ReportDiffers,
    ExceptionClass::CurrencyMismatch,
    ExceptionClass::MissingInApi,
    ExceptionClass::LatePayout,
    ExceptionClass::FailedPayout,
    ExceptionClass::PayoutWithoutOperator,
    ExceptionClass::StatementGap,
];
/// As above, of payouts whose parts are compared whole.
const FOUND_BY_PAYOUT: [ExceptionClass; 2] = [ExceptionClass::MissingInReport, ExceptionClass::PayoutTotalDiffers];

/// Asks, in the transaction of what changed, that everything is looked through soon.
///
/// # Errors
/// Those of the database.
pub async fn request(tx: &Tx) -> Result<()> {
    set_ran_at(tx, None, Timestamp::from_micros(0)).await
}

async fn set_ran_at(tx: &Tx, before: Option<Timestamp>, at: Timestamp) -> Result<()> {
    let mut update =
        exception_detection::Entity::update_many().col_expr(exception_detection::Column::RanAt, Expr::value(at));
    if let Some(before) = before {
        update = update.filter(exception_detection::Column::RanAt.eq(before));
    }
    update.exec(tx.conn()).await?;
    Ok(())
}

/// Looks through everything when it was asked for, or after an hour; returns 1 if it did.
///
/// # Errors
/// Those of the database.
pub async fn detect_due(app: &AppState) -> Result<usize> {
    let ran_at: Option<Timestamp> = exception_detection::Entity::find()
        .select_only()
        .column(exception_detection::Column::RanAt)
        .into_tuple()
        .one(app.db.read())
        .await?;
    let now = app.clock.now();
    let Some(ran_at) = ran_at.filter(|at| now - at.0 >= Duration::minutes(INTERVAL_MINUTES)) else { return Ok(0) };
    // A long statement asks again with every batch that is booked; its end is soon enough.
    if matching::is_busy(app).await? {
        return Ok(0);
    }
    detect_now(app, default_period(app)).await?;
    // What was asked for meanwhile stays asked for.
    app.db
        .write("settlement.note_detection", move |tx| async move {
            Ok((set_ran_at(&tx, Some(ran_at), Timestamp(now)).await?, tx))
        })
        .await?;
    Ok(1)
}

fn default_period(app: &AppState) -> Period {
    let now = app.clock.now();
    Period { from: Timestamp(now - Duration::days(LOOK_BACK_DAYS)), until: Timestamp(now + Duration::microseconds(1)) }
}

/// Looks through a period now.
///
/// # Errors
/// Those of the database.
pub async fn detect_now(app: &AppState, period: Period) -> Result<()> {
    matching::try_again(app).await?;
    let conn = app.db.read();
    let compared = orders::compare(conn, period, app.clock.now()).await?;
    let mut found = compared.found;
    found.extend(orders::orphan_refunds(conn, period).await?);
    found.extend(reports::compare_lines(conn, period, app.clock.now()).await?);
    found.extend(payouts::late_and_failed(app, period).await?);
    found.extend(payouts::without_operator(app, period).await?);
    found.extend(statements::gaps(conn).await?);
    keep(app, &FOUND_HERE, period, found).await?;
    let totals = reports::compare_payouts(conn, period).await?;
    keep(app, &FOUND_BY_PAYOUT, period, totals).await
}

/// Opens what was found, and closes what of these classes was not.
///
/// # Errors
/// Those of the database.
pub(in crate::settlement) async fn keep(
    app: &AppState,
    classes: &[ExceptionClass],
    period: Period,
    found: Vec<NewException>,
) -> Result<()> {
    let gone = gone(app.db.read(), classes, period, &found).await?;
    if gone.is_empty() && found.is_empty() {
        return Ok(());
    }
    let now = app.clock.now();
    app.db
        .write("settlement.keep_exceptions", move |tx| {
            let (gone, found) = (gone.clone(), found.clone());
            async move {
                store::close_vanished(&tx, &gone, now).await?;
                store::raise(&tx, found, now).await?;
                Ok(((), tx))
            }
        })
        .await
}

async fn gone(
    conn: &impl ConnectionTrait,
    classes: &[ExceptionClass],
    period: Period,
    found: &[NewException],
) -> Result<Vec<ExceptionId>> {
    let mut subjects: HashMap<ExceptionClass, HashSet<&str>> = HashMap::new();
    for new in found {
        subjects.entry(new.class).or_default().insert(&new.subject);
    }
    let mut gone = Vec::new();
    for class in classes {
        let open = store::open_of(conn, *class, period.from, period.until).await?;
        let is_gone = |subject: &str| subjects.get(class).is_none_or(|found| !found.contains(subject));
        gone.extend(open.into_iter().filter(|(_, subject)| is_gone(subject)).map(|(id, _)| id));
    }
    Ok(gone)
}
