//! Shares and tables by the names that tools write.

use std::collections::HashMap;

use entity::ids::{GrantId, ListingId};
use uuid::Uuid;

use super::{
    names::{digits_of, is_same, share_name, table_names},
    store::{self, At, ListingRow, TableFile},
};
use crate::{
    auth::actor::Recipient,
    base::{page::Page, text::LangText},
    delivery::downloads::{
        model::GrantTerms,
        store::{self as grants, Holding},
    },
    error::{Error, Result},
    state::AppState,
};

/// Hexadecimal digits of a grant's id in the name of its share: its time and twelve random bits.
const SHARE_DIGITS: usize = 16;
/// Those of a whole id.
const ID_DIGITS: usize = 32;

/// What one grant opens.
#[derive(Debug, Clone)]
pub(in crate::delivery) struct Share {
    pub(in crate::delivery) grant: GrantTerms,
    pub(in crate::delivery) name: String,
    /// The one schema in it: its provider.
    pub(in crate::delivery) schema: String,
    pub(in crate::delivery) title: LangText,
}

/// A file of a share, in one version.
#[derive(Debug, Clone)]
pub(in crate::delivery) struct Table {
    pub(in crate::delivery) name: String,
    pub(in crate::delivery) file: TableFile,
}

/// The shares that are open to `recipient`, newest first; one more than `limit`.
///
/// # Errors
/// Those of a token's own grant when it is not open; those of the database.
pub(in crate::delivery) async fn list_shares(
    app: &AppState,
    recipient: &Recipient,
    before: Option<GrantId>,
    limit: usize,
) -> Result<Page<Share>> {
    let (now, conn, org) = (app.clock.now(), app.db.read(), recipient.org_id());
    let holding = Holding { holder: org, only: recipient.grant, listing: None };
    if recipient.grant.is_some() {
        let grant = grants::find_newest_grant(conn, holding).await?.ok_or_else(|| Error::not_found("share"))?;
        grant.require_active(now)?;
    }
    let rows = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let open = grants::list_open_grants(conn, holding, now, before, rows).await?;
    let page = Page::from_rows(open, limit, |grant| grant.id);
    let mut named = named(app, page.items).await?;
    named.sort_by_key(|share| std::cmp::Reverse(share.grant.id));
    Ok(Page { items: named, next_cursor: page.next_cursor })
}

/// The share of this name.
///
/// # Errors
/// `NotFound` when `recipient` has none; those of [`GrantTerms::require_active`].
pub(in crate::delivery) async fn find_share(app: &AppState, recipient: &Recipient, name: &str) -> Result<Share> {
    let missing = || Error::not_found("share");
    let range = digits_of(name).and_then(id_range).ok_or_else(missing)?;
    let mut found = grants::list_grants_between(app.db.read(), recipient.org_id(), range).await?;
    found.retain(|grant| recipient.grant.is_none_or(|own| own == grant.id));
    let share = named(app, found).await?.into_iter().find(|share| is_same(&share.name, name));
    let share = share.ok_or_else(missing)?;
    share.grant.require_active(app.clock.now())?;
    Ok(share)
}

/// What the newest open grant on a listing opens.
///
/// # Errors
/// `NotFound` when `recipient` has none; those of [`GrantTerms::require_active`] when none is open.
pub(in crate::delivery) async fn find_listing_share(
    app: &AppState,
    recipient: &Recipient,
    listing: ListingId,
) -> Result<Share> {
    let (now, conn) = (app.clock.now(), app.db.read());
    let holding = Holding { holder: recipient.org_id(), only: recipient.grant, listing: Some(listing) };
    let mut open = grants::list_open_grants(conn, holding, now, None, 1).await?;
    if open.is_empty() {
        let closed = grants::find_newest_grant(conn, holding).await?;
        let Some(closed) = closed else {
            // Who has a slice alone is told so.
            return match grants::find_slice_grant(conn, holding).await? {
                Some(slice) => Err(slice.require_whole().err().unwrap_or_else(|| Error::not_found("listing"))),
                None => Err(Error::not_found("listing")),
            };
        };
        closed.require_active(now)?;
        open.push(closed);
    }
    named(app, open).await?.into_iter().next().ok_or_else(|| Error::not_found("listing"))
}

/// What one grant opens.
///
/// # Errors
/// `NotFound` when it is not `recipient`'s; those of [`GrantTerms::require_active`].
pub(in crate::delivery) async fn find_grant_share(
    app: &AppState,
    recipient: &Recipient,
    grant: GrantId,
) -> Result<Share> {
    let missing = || Error::not_found("grant");
    if recipient.grant.is_some_and(|own| own != grant) {
        return Err(missing());
    }
    let holding = Holding { holder: recipient.org_id(), only: Some(grant), listing: None };
    let found = grants::find_newest_grant(app.db.read(), holding).await?.ok_or_else(missing)?;
    found.require_active(app.clock.now())?;
    named(app, vec![found]).await?.into_iter().next().ok_or_else(missing)
}

/// The tables of a share as they are now, by name of their files.
///
/// # Errors
/// Those of the database.
pub(in crate::delivery) async fn list_tables(app: &AppState, share: &Share) -> Result<Vec<Table>> {
    let files = store::newest_tables(app.db.read(), &share.grant, app.clock.now()).await?;
    let names = table_names(files.iter().map(|file| file.name.as_str()));
    Ok(names.into_iter().zip(files).map(|(name, file)| Table { name, file }).collect())
}

/// The table of this name as it is now.
///
/// # Errors
/// `NotFound` when the share has none.
pub(in crate::delivery) async fn table_named(app: &AppState, share: &Share, name: &str) -> Result<Table> {
    let tables = list_tables(app, share).await?;
    let is_meant = |table: &Table| is_same(&table.name, name) || table.file.name == name;
    tables.into_iter().find(is_meant).ok_or_else(|| Error::not_found("table"))
}

/// The table of this name in the version asked for; nothing when it has no such version.
///
/// # Errors
/// `NotFound` when the share has no such table.
pub(in crate::delivery) async fn find_table(
    app: &AppState,
    share: &Share,
    name: &str,
    at: At,
) -> Result<(Table, Option<Table>)> {
    let newest = table_named(app, share, name).await?;
    if at == At::Newest {
        return Ok((newest.clone(), Some(newest)));
    }
    let version = find_version(app, share, &newest, at).await?;
    Ok((newest, version))
}

/// A table in the version asked for; nothing when it has no such version.
///
/// # Errors
/// Those of the database.
pub(in crate::delivery) async fn find_version(
    app: &AppState,
    share: &Share,
    table: &Table,
    at: At,
) -> Result<Option<Table>> {
    let grant = (&share.grant, app.clock.now());
    let file = store::find_version(app.db.read(), grant, &table.file.name, at).await?;
    Ok(file.map(|file| Table { name: table.name.clone(), file }))
}

/// The files of a table in its versions from one to another, the oldest first; at most `limit`.
///
/// # Errors
/// Those of the database.
pub(in crate::delivery) async fn list_versions(
    app: &AppState,
    share: &Share,
    table: &Table,
    range: (i32, i32),
    limit: usize,
) -> Result<Vec<TableFile>> {
    let (grant, limit) = ((&share.grant, app.clock.now()), u64::try_from(limit).unwrap_or(u64::MAX));
    store::list_versions(app.db.read(), grant, &table.file.name, range, limit).await
}

async fn named(app: &AppState, grants: Vec<GrantTerms>) -> Result<Vec<Share>> {
    if grants.is_empty() {
        return Ok(Vec::new());
    }
    let ids = grants.iter().map(|grant| grant.listing_id).collect();
    let listings = store::listings(app.db.read(), ids).await?;
    let listings: HashMap<ListingId, ListingRow> = listings.into_iter().map(|row| (row.id, row)).collect();
    let mut shares = Vec::with_capacity(grants.len());
    for grant in grants {
        let Some(listing) = listings.get(&grant.listing_id) else { continue };
        let title: LangText = serde_json::from_value(listing.title.clone())?;
        let digits = digits(grant.id);
        let name = share_name(title.best("en"), digits.get(..SHARE_DIGITS).unwrap_or_default());
        shares.push(Share { grant, name, schema: listing.slug.clone(), title });
    }
    Ok(shares)
}

fn digits(id: GrantId) -> String {
    id.0.simple().to_string()
}

/// The ids that begin with these digits.
fn id_range(digits: &str) -> Option<(GrantId, GrantId)> {
    let good = digits.len() == SHARE_DIGITS && digits.bytes().all(|b| b.is_ascii_hexdigit());
    let filled = |with: &str| Uuid::try_parse(&format!("{digits}{}", with.repeat(ID_DIGITS - SHARE_DIGITS))).ok();
    good.then(|| Some((GrantId(filled("0")?), GrantId(filled("f")?))))?
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;

    #[test]
    fn the_digits_of_a_name_lead_back_to_the_grant() {
        let id = GrantId::at(OffsetDateTime::UNIX_EPOCH + time::Duration::days(20_000));
        let (first, last) = id_range(&digits(id)[..SHARE_DIGITS]).unwrap();
        assert!(first <= id && id <= last);
        for bad in ["", "01a0", &digits(id), "zzzzzzzzzzzzzzzz"] {
            assert!(id_range(bad).is_none(), "{bad}");
        }
    }
}
