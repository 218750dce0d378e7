//! Handing mails over, again and again for a day.

use entity::{Timestamp, mail, states::MailState};
use futures::{StreamExt as _, stream};
use time::{Duration, OffsetDateTime};

use super::{http::unsubscribe_url, store};
use crate::{
    error::Result,
    ports::mailer::{Mail, MailError},
    state::AppState,
};

/// Mails looked at in one round.
const MAILS_PER_ROUND: u64 = 32;
/// Mails handed over at the same time.
const MAILS_AT_ONCE: usize = 4;
/// How long a process may take over a mail before another may.
const LEASE_SECONDS: i64 = 120;
/// Waits before the second, third, … try; after the last one a mail is dead.
const RETRY_SECONDS: [i64; 7] = [60, 300, 1_800, 7_200, 21_600, 43_200, 86_400];

/// Hands over the mails that are due; returns how many were tried.
///
/// # Errors
/// Those of the database.
pub async fn post_due(app: &AppState) -> Result<usize> {
    let now = app.clock.now();
    let due = store::due(app.db.read(), Timestamp(now), MAILS_PER_ROUND).await?;
    let outcomes: Vec<Result<bool>> =
        stream::iter(due.into_iter().map(|row| post(app, row, now))).buffer_unordered(MAILS_AT_ONCE).collect().await;
    let tried: Vec<bool> = outcomes.into_iter().collect::<Result<_>>()?;
    Ok(tried.into_iter().filter(|tried| *tried).count())
}

async fn post(app: &AppState, row: mail::Model, now: OffsetDateTime) -> Result<bool> {
    let (id, until) = (row.id, Timestamp(now + Duration::seconds(LEASE_SECONDS)));
    let mine = app
        .db
        .write("notify.take_mail", move |tx| async move {
            let mine = store::take(&tx, id, Timestamp(now), until).await?;
            Ok((mine, tx))
        })
        .await?;
    if !mine {
        return Ok(false);
    }
    let outcome = match store::address(app.db.read(), row.organization_id, row.account_id).await? {
        None => None,
        Some(to) => {
            let unsubscribe_url = unsubscribe_url(app, row.organization_id, row.account_id);
            let (subject, text) = (row.subject.clone(), row.body.clone());
            app.db.faults().step(|| "notify.post: before the call".to_owned())?;
            let sent = app.mailer.send(Mail { id: row.id.to_string(), to, subject, text, unsubscribe_url }).await;
            app.db.faults().step(|| "notify.post: after the call".to_owned())?;
            Some(sent)
        }
    };
    let row = settled(mail::Model { attempts: row.attempts + 1, ..row }, outcome, app.clock.now());
    app.db
        .write("notify.settle_mail", move |tx| {
            let row = row.clone();
            async move {
                store::replace(&tx, row).await?;
                Ok(((), tx))
            }
        })
        .await?;
    Ok(true)
}

/// A mail after an attempt; nothing was attempted where nobody wants it any more.
fn settled(row: mail::Model, outcome: Option<Result<(), MailError>>, now: OffsetDateTime) -> mail::Model {
    let done = |state| mail::Model { state, next_try_at: None, done_at: Some(Timestamp(now)), ..row.clone() };
    let text = |error: &MailError| Some(error.to_string().chars().take(400).collect());
    match outcome {
        None => done(MailState::Dropped),
        Some(Ok(())) => done(MailState::Sent),
        Some(Err(error @ MailError::Refused(_))) => mail::Model { last_error: text(&error), ..done(MailState::Dead) },
        Some(Err(error @ MailError::NotNow(_))) => {
            let place = usize::try_from(row.attempts - 1).unwrap_or(usize::MAX);
            match RETRY_SECONDS.get(place) {
                Some(wait) => mail::Model {
                    next_try_at: Some(Timestamp(now + Duration::seconds(*wait))),
                    last_error: text(&error),
                    ..row
                },
                None => mail::Model { last_error: text(&error), ..done(MailState::Dead) },
            }
        }
    }
}
