//! Counting wrong passwords per mail address, whether or not somebody has it, so that neither
//! guessing nor asking who has an account gets far.
//!
//! An attempt is counted before the password is looked at and forgotten when it was right, so that
//! many guesses at the same moment are counted as many.

use entity::{Timestamp, login_failure};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, EntityTrait as _, QueryFilter as _,
    sea_query::{CaseStatement, Expr, ExprTrait as _, OnConflict, SimpleExpr},
};
use time::{Duration, OffsetDateTime};

use crate::{
    base::digest,
    db::Tx,
    error::{Error, Problem, Result},
    limits,
    state::AppState,
};

/// The counter of a mail address; the address itself is not kept, since it may be nobody's.
fn counter(email: &str) -> String {
    digest::sha256_hex(email.as_bytes())
}

/// Counts an attempt with this (normalized) mail address.
///
/// # Errors
/// `TooMany` with the seconds to wait, after [`limits::PASSWORD_FAILURES_MAX`] within the window.
pub(in crate::people) async fn count(app: &AppState, email: &str) -> Result<()> {
    let (hash, now) = (counter(email), app.clock.now());
    let row = app
        .db
        .write("people.count_attempt", move |tx| {
            let hash = hash.clone();
            async move {
                let row = count_one(&tx, hash, now).await?;
                Ok((row, tx))
            }
        })
        .await?;
    if row.failures <= limits::PASSWORD_FAILURES_MAX {
        return Ok(());
    }
    metrics::counter!("log_ins_throttled_total").increment(1);
    let wait = (row.window_ends_at.0 - now).whole_seconds().clamp(1, limits::PASSWORD_FAILURE_WINDOW_SECONDS);
    let detail = "Too many wrong passwords for this mail address. Wait, then try again.";
    let error = Error::new(Problem::TooMany, detail);
    Err(Error { retry_after_seconds: u32::try_from(wait).ok(), ..error })
}

/// One statement, so that attempts at the same moment are all counted. A window that has passed
/// begins anew; one that has not is never made longer, or a guesser could keep the owner out for ever.
async fn count_one(tx: &Tx, hash: String, now: OffsetDateTime) -> Result<login_failure::Model> {
    use login_failure::{Column, Entity};
    let window_ends_at = Timestamp(now + Duration::seconds(limits::PASSWORD_FAILURE_WINDOW_SECONDS));
    let old = |column: Column| Expr::col((Entity, column));
    let passed = || old(Column::WindowEndsAt).lte(Timestamp(now));
    let either = |fresh: SimpleExpr, further: SimpleExpr| CaseStatement::new().case(passed(), fresh).finally(further);
    let again = OnConflict::column(Column::EmailHash)
        .value(Column::Failures, either(Expr::value(1), old(Column::Failures).add(1)))
        .value(Column::WindowEndsAt, either(Expr::value(window_ends_at), old(Column::WindowEndsAt)))
        .to_owned();
    let row =
        login_failure::ActiveModel { email_hash: Set(hash), failures: Set(1), window_ends_at: Set(window_ends_at) };
    Ok(Entity::insert(row).on_conflict(again).exec_with_returning(tx.conn()).await?)
}

/// Forgets the attempts with a mail address, after the right password.
pub(in crate::people) async fn forget(tx: &Tx, email: &str) -> Result<()> {
    login_failure::Entity::delete_by_id(counter(email)).exec(tx.conn()).await?;
    Ok(())
}

/// Deletes the counters whose window has passed.
pub(super) async fn delete_passed(tx: &Tx, now: OffsetDateTime) -> Result<u64> {
    let passed = login_failure::Column::WindowEndsAt.lte(Timestamp(now));
    Ok(login_failure::Entity::delete_many().filter(passed).exec(tx.conn()).await?.rows_affected)
}
