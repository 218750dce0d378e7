//! Who reads what, how far they have read, and in which language.

use entity::Timestamp;
use uuid::Uuid;

use super::store;
use crate::{
    auth::Actor,
    base::text::is_language_tag,
    error::{Error, Result},
    limits,
    notify::kinds::{self, KINDS},
    state::AppState,
};

/// The kinds that `actor` may see, narrowed to `wanted` where that is given; nothing when these are all kinds.
///
/// # Errors
/// `Invalid` for an unknown kind, `Forbidden` for one that needs another right.
pub(super) fn visible(actor: &Actor, wanted: Option<&str>) -> Result<Option<Vec<&'static str>>> {
    if let Some(wanted) = wanted {
        let unknown = || Error::invalid("kind", "Use a kind that GET /api/v1/notices/kinds lists.");
        let kind = kinds::find(wanted).ok_or_else(unknown)?;
        actor.require(kind.right)?;
        return Ok(Some(vec![kind.name]));
    }
    let visible: Vec<_> = KINDS.iter().filter(|kind| actor.may(kind.right)).map(|kind| kind.name).collect();
    Ok((visible.len() < KINDS.len()).then_some(visible))
}

/// Who reads: the person, or the API key.
///
/// # Errors
/// Never for an actor as credentials make them.
pub(super) fn reader(actor: &Actor) -> Result<Uuid> {
    let account = actor.account_id.map(|id| id.0);
    let reader = account.or_else(|| actor.api_key_id.map(|id| id.0));
    reader.ok_or_else(|| Error::internal("an actor is neither a person nor a key"))
}

/// The language to answer in: the one asked for, else the person's own, else English.
///
/// # Errors
/// `Invalid` for what is no language tag; those of the database.
pub(super) async fn language(app: &AppState, actor: &Actor, asked: Option<String>) -> Result<String> {
    if let Some(tag) = asked {
        let good = tag.len() <= limits::LOCALE_CHARS_MAX && is_language_tag(&tag);
        return if good {
            Ok(tag)
        } else {
            Err(Error::invalid("lang", "Use a language tag such as en, da or zh-Hant."))
        };
    }
    let own = match actor.account_id {
        Some(account) => store::locale(app.db.read(), account).await?,
        None => None,
    };
    Ok(own.unwrap_or_else(|| "en".to_owned()))
}

/// How much an actor has not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unread {
    pub count: u64,
    pub is_more: bool,
    pub read_up_to: i64,
    pub newest: i64,
}

/// Counts what `actor` has not read, up to [`limits::UNREAD_NOTICES_COUNTED_MAX`].
///
/// # Errors
/// Those of the database.
pub(super) async fn unread(app: &AppState, actor: &Actor) -> Result<Unread> {
    let (conn, org, most) = (app.db.read(), actor.org_id(), limits::UNREAD_NOTICES_COUNTED_MAX);
    let read_up_to = store::read_up_to(conn, org, reader(actor)?).await?;
    let cursors = store::cursors(conn, org, visible(actor, None)?, read_up_to, most + 1).await?;
    let found = u64::try_from(cursors.len()).unwrap_or(u64::MAX);
    let newest = store::newest(conn, org).await?;
    Ok(Unread { count: found.min(most), is_more: found > most, read_up_to, newest })
}

/// Notes that `actor` has read everything up to a cursor.
///
/// # Errors
/// `Invalid` for a cursor that no notice of the organisation has come to; those of the database.
pub(super) async fn mark_read(app: &AppState, actor: &Actor, cursor: i64) -> Result<()> {
    if !(0..=store::newest(app.db.read(), actor.org_id()).await?).contains(&cursor) {
        return Err(Error::invalid("/cursor", "Give the cursor of a notice that you have got."));
    }
    let (org, reader, now) = (actor.org_id(), reader(actor)?, Timestamp(app.clock.now()));
    app.db
        .write("notify.mark_read", move |tx| async move {
            store::mark_read(&tx, org, reader, cursor, now).await?;
            Ok(((), tx))
        })
        .await
}
