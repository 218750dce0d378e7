//! From notices to mails: at once, or once a day.

use std::collections::{BTreeSet, HashMap};

use entity::{
    Timestamp,
    ids::{AccountId, MailId, OrgId},
    mail, mail_digest,
    states::{MailMode, MailState, Role},
};
use time::{Duration, OffsetDateTime};

use super::{
    model::{self, Wishes},
    store::{self, Told, Wish},
};
use crate::{
    base::LangText,
    db::Tx,
    error::Result,
    notify::{kinds, notices},
    state::AppState,
};

/// Notices looked at in one transaction.
const NOTICES_PER_BATCH: u64 = 200;
/// Notices that a digest names; it says how many there are.
const NOTICES_PER_DIGEST: u64 = 100;
/// Digests made in one go.
const DIGESTS_PER_BATCH: u64 = 20;

/// A member who wants mails.
struct Reader {
    wishes: Wishes,
    role: Role,
    locale: String,
    organization: String,
}

fn readers(wishes: Vec<Wish>) -> HashMap<(OrgId, AccountId), Reader> {
    let mut readers = HashMap::new();
    for wish in wishes {
        let Wish { organization_id, account_id, kind, mode, role, locale, organization } = wish;
        let fresh = || Reader { wishes: Wishes::default(), role, locale, organization };
        let reader: &mut Reader = readers.entry((organization_id, account_id)).or_insert_with(fresh);
        reader.wishes.0.insert(kind, mode);
    }
    readers
}

fn title(told: &Told, locale: &str) -> Result<Option<String>> {
    let listing: LangText = serde_json::from_value(told.listing_title.clone())?;
    Ok(kinds::find(&told.kind).map(|kind| kind.title.in_language(locale, listing.best(locale))))
}

fn is_wanted(told: &Told, reader: &Reader, mode: MailMode) -> bool {
    kinds::find(&told.kind).is_some_and(|kind| reader.wishes.mode(kind, reader.role) == mode)
}

/// Goes on through the log and queues a mail for each member who wants one at once; returns how many notices were
/// looked at. Cursors ascend in the order of commits, so none is passed over.
///
/// # Errors
/// Those of the database.
pub async fn queue_immediate(app: &AppState) -> Result<usize> {
    if store::head(app.db.read()).await? >= notices::end(app.db.read()).await? {
        return Ok(0);
    }
    let (now, base_url) = (app.clock.now(), app.config.public_url());
    app.db
        .write("notify.queue_mails", move |tx| {
            let base_url = base_url.clone();
            async move {
                let head = store::lock_head(&tx).await?;
                let told = store::told(tx.conn(), None, head.cursor, NOTICES_PER_BATCH).await?;
                let Some(last) = told.last() else { return Ok((0, tx)) };
                store::move_head(&tx, last.cursor).await?;
                let orgs: BTreeSet<OrgId> = told.iter().map(|one| one.organization_id).collect();
                let orgs: Vec<OrgId> = orgs.into_iter().collect();
                let readers = readers(store::wishes(tx.conn(), &orgs, None).await?);
                let mut mails = Vec::new();
                for ((org, account), reader) in &readers {
                    let wanted = told.iter().filter(|one| one.organization_id == *org);
                    for one in wanted.filter(|one| is_wanted(one, reader, MailMode::Immediate)) {
                        let Some(subject) = title(one, &reader.locale)? else { continue };
                        let text = model::text(
                            &reader.locale,
                            &reader.organization,
                            std::slice::from_ref(&subject),
                            &base_url,
                        );
                        mails.push(new_mail((*org, *account), one.cursor, false, (subject, text), now));
                    }
                }
                store::insert(&tx, mails).await?;
                Ok((told.len(), tx))
            }
        })
        .await
}

fn new_mail(
    (organization_id, account_id): (OrgId, AccountId),
    cursor: i64,
    is_digest: bool,
    (subject, body): (String, String),
    now: OffsetDateTime,
) -> mail::Model {
    mail::Model {
        id: MailId::derived_at(&format!("{organization_id}:{account_id}:{cursor}:{is_digest}"), now),
        organization_id,
        account_id,
        cursor,
        is_digest,
        subject,
        body,
        state: MailState::Pending,
        attempts: 0,
        next_try_at: Some(Timestamp(now)),
        last_error: None,
        created_at: Timestamp(now),
        done_at: None,
    }
}

/// Queues the digests that are due; returns how many were looked at.
///
/// # Errors
/// Those of the database.
pub async fn queue_digests(app: &AppState) -> Result<usize> {
    let (now, base_url) = (app.clock.now(), app.config.public_url());
    let due = store::due_digests(app.db.read(), Timestamp(now), DIGESTS_PER_BATCH).await?;
    let count = due.len();
    for one in due {
        let base_url = base_url.clone();
        app.db
            .write("notify.queue_digest", move |tx| {
                let (one, base_url) = (one.clone(), base_url.clone());
                async move {
                    queue_digest(&tx, &one, &base_url, now).await?;
                    Ok(((), tx))
                }
            })
            .await?;
    }
    Ok(count)
}

async fn queue_digest(tx: &Tx, due: &mail_digest::Model, base_url: &str, now: OffsetDateTime) -> Result<()> {
    let (org, account) = (due.organization_id, due.account_id);
    let told = store::told(tx.conn(), Some(org), due.cursor, NOTICES_PER_DIGEST).await?;
    let is_more = u64::try_from(told.len()).is_ok_and(|count| count == NOTICES_PER_DIGEST);
    let last = told.last().map_or(due.cursor, |one| one.cursor);
    // What does not fit into one mail is in the next, which follows at once.
    let next_at = if is_more { due.next_at.0 + Duration::microseconds(1) } else { now + Duration::DAY };
    let next_at = Timestamp(next_at);
    if !store::move_digest(tx, due, last, next_at).await? {
        return Ok(());
    }
    let readers = readers(store::wishes(tx.conn(), &[org], Some(account)).await?);
    let Some(reader) = readers.get(&(org, account)) else { return Ok(()) };
    let wanted = told.iter().filter(|one| is_wanted(one, reader, MailMode::Daily));
    let titles: Vec<String> = wanted.filter_map(|one| title(one, &reader.locale).transpose()).collect::<Result<_>>()?;
    if titles.is_empty() {
        return Ok(());
    }
    let subject = model::digest_subject(&reader.locale, titles.len());
    let text = model::text(&reader.locale, &reader.organization, &titles, base_url);
    store::insert(tx, vec![new_mail((org, account), last, true, (subject, text), now)]).await
}
