//! Downloads of what changed in a table between two versions, under the same grant check as whole files.

use entity::ids::{FileId, GrantId, ListingId, OrgId};

use super::{service::Admitted, store};
use crate::{
    catalog::{
        profile::Profile,
        revisions::{
            rows::{self, Chain, Composed, Layout},
            versions::{self, Version},
        },
    },
    delivery::Pieces,
    error::{Error, Result},
    state::AppState,
};

/// What to put together.
#[derive(Debug, Clone)]
pub(super) struct ChangesWanted {
    /// The file.
    pub(super) name: String,
    /// The version the buyer has.
    pub(super) from: Version,
    /// The version to get to; the newest that reaches the grant when absent.
    pub(super) to: Option<Version>,
    pub(super) as_csv: bool,
}

/// Changes that may be sent.
pub(super) struct Changes {
    pub(super) admitted: Admitted,
    pub(super) from: Version,
    pub(super) to: Version,
    pub(super) counts: rows::Counts,
    pub(super) size_bytes: u64,
    pub(super) pieces: Pieces,
}

/// Puts together what turns a table of one version into that of a later one that the grant covers.
///
/// # Errors
/// Those of [`super::model::GrantTerms::require_active`]; `Invalid` for versions that are none; `Conflict` for a version
/// that does not reach the grant, or where the changes are not known; `NotFound` for a file it does not have.
pub(super) async fn put_together(
    app: &AppState,
    holder: OrgId,
    grant_id: GrantId,
    wanted: ChangesWanted,
) -> Result<Changes> {
    let (now, conn) = (app.clock.now(), app.db.read());
    let grant = store::find_grant(conn, holder, grant_id).await?.ok_or_else(|| Error::not_found("grant"))?;
    grant.require_active(now)?;
    grant.require_whole()?;
    let listing = grant.listing_id;
    let from = number_of(app, listing, "from", wanted.from).await?;
    let only = match wanted.to {
        Some(to) => Some(number_of(app, listing, "to", to).await?),
        None => None,
    };
    let found = store::newest_file(conn, &grant, now, (&wanted.name, only)).await?;
    let file = found.ok_or_else(|| match wanted.to {
        Some(to) => Error::conflict(format!(
            "Version {to} has no such file, or does not reach this grant yet: see GET /api/v1/grants/{{id}}/versions."
        )),
        None => Error::not_found("file"),
    })?;
    let file = file.facts();
    let number = file.release.number;
    // The query above says the same; whatever is delivered passes here.
    if !grant.covers(&file, now) {
        return Err(Error::not_found("file"));
    }
    if number < from {
        let advice = "Ask for a version that is not before the one in from.";
        return Err(match wanted.to {
            Some(_) => Error::invalid("to", advice),
            None => Error::conflict("No later version of this file reaches this grant yet."),
        });
    }
    let to = versions::version_of(conn, listing, number).await?;
    let to = to.ok_or_else(|| Error::conflict("The version of the newest revision is being found out. Try again."))?;
    let chain = rows::find_chain(app, listing, &wanted.name, (from, number)).await?;
    let layout = if wanted.as_csv { Layout::Csv(columns_of(app, file.id).await?) } else { Layout::JsonLines };
    let composed = compose(app, chain, layout).await?;
    let pieces = Pieces::of(composed.file, composed.size_bytes).await.map_err(Error::internal)?;
    let admitted = Admitted::new(&grant, file, now);
    Ok(Changes { admitted, from: wanted.from, to, counts: composed.counts, size_bytes: composed.size_bytes, pieces })
}

async fn number_of(app: &AppState, listing: ListingId, place: &str, version: Version) -> Result<i32> {
    let number = versions::number_of(app.db.read(), listing, version).await?;
    number.ok_or_else(|| Error::invalid(place, format!("The listing has no version {version}.")))
}

/// The columns of a table in their order.
async fn columns_of(app: &AppState, id: FileId) -> Result<Vec<String>> {
    let profile = store::find_profile(app.db.read(), id).await?;
    let profile: Option<Profile> = profile.map(serde_json::from_value).transpose()?;
    Ok(profile.map_or_else(Vec::new, |profile| profile.columns.into_iter().map(|column| column.name).collect()))
}

/// Puts a chain together, a few at a time: each takes memory and working space.
async fn compose(app: &AppState, chain: Chain, layout: Layout) -> Result<Composed> {
    let _place = app.downloads.place_to_compose().await?;
    rows::compose_chain(app, chain, layout).await
}
