//! Finding a table in the version asked for, and handing out its file.

use std::sync::Arc;

use entity::{
    ids::{FileId, MeterId},
    states::RenditionFormat,
};
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

use super::{
    model::{FileFacts, TableFacts},
    schema,
};
use crate::{
    auth::actor::Recipient,
    catalog::{renditions::name_in, revisions::rows},
    delivery::{
        downloads::{link::Link, service::expiry},
        tables::{self, At, Footer, Share, Table, TableFile},
    },
    error::{Error, Problem, Result},
    state::AppState,
    trade::usage::{self, HandedOut},
};

/// What a link ends with. A reader of Delta takes an address for a file to fetch only when it looks signed as those of
/// object stores are (`delta_kernel`, `is_presigned`); ours is signed in its path.
const PRESIGNED: &str = "?X-Amz-Signature=in-path";

/// Share, schema and table, as they were written.
#[derive(Debug, Clone)]
pub(super) struct TableName {
    pub(super) share: String,
    pub(super) schema: String,
    pub(super) table: String,
}

/// The version asked for, by its number or by a time.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    pub(super) version: Option<i64>,
    pub(super) timestamp: Option<String>,
}

/// A table in the version asked for.
pub(super) struct Found {
    share: Share,
    table: Table,
    footer: Arc<Footer>,
    /// Its rows have a key, so what changes in it can be asked for.
    has_changes: bool,
}

/// What a request of this protocol that can't be carried out is answered with: a client repeats other failures.
pub(super) fn refused(detail: impl Into<String>) -> Error {
    Error::new(Problem::Malformed, detail)
}

/// The share of this name, if it has this schema.
///
/// # Errors
/// `NotFound`; `Forbidden` when the grant is not open.
pub(super) async fn find_schema(app: &AppState, recipient: &Recipient, share: &str, schema: &str) -> Result<Share> {
    let share = tables::find_share(app, recipient, share).await?;
    let is_same = share.schema.eq_ignore_ascii_case(schema);
    if is_same { Ok(share) } else { Err(Error::not_found("schema")) }
}

impl Wanted {
    fn at(&self) -> Result<At> {
        match (self.version, self.timestamp.as_deref()) {
            (None, None) => Ok(At::Newest),
            (Some(version), None) => version_number(version).map(At::Version),
            (None, Some(text)) => instant(text).map(At::Until),
            (Some(_), Some(_)) => Err(refused("Ask for a version or for a timestamp, not for both.")),
        }
    }
}

/// A version as it was written.
///
/// # Errors
/// `Malformed` for a number that is none.
pub(super) fn version_number(version: i64) -> Result<i32> {
    let number = i32::try_from(version).ok().filter(|number| *number >= 0);
    number.ok_or_else(|| refused("A version is a whole number, 0 or more."))
}

/// An instant as it was written.
///
/// # Errors
/// `Malformed` for a text that is none.
pub(super) fn instant(text: &str) -> Result<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|_| refused("Write a timestamp as 2026-11-21T10:00:00Z (ISO 8601 with a zone)."))
}

/// Finds a table in the version asked for.
///
/// # Errors
/// `NotFound`; `Malformed` for a version that the table does not have.
pub(super) async fn find(app: &AppState, recipient: &Recipient, name: &TableName, wanted: &Wanted) -> Result<Found> {
    let at = wanted.at()?;
    let share = find_schema(app, recipient, &name.share, &name.schema).await?;
    let (newest, version) = tables::find_table(app, &share, &name.table, at).await?;
    let newest_number = newest.file.number;
    let beyond = matches!(at, At::Version(number) if number > newest_number);
    let table = version.filter(|_| !beyond).ok_or_else(|| match at {
        At::Version(_) if beyond => refused(format!("The newest version of this table is {newest_number}.")),
        At::Version(_) | At::Until(_) | At::From(_) | At::Newest => {
            refused("This table has no version as old as that; ask for a newer one.")
        }
    })?;
    open(app, share, table).await
}

/// Reads what there is to know of a table.
///
/// # Errors
/// Internal ones when its file is damaged.
pub(super) async fn open(app: &AppState, share: Share, table: Table) -> Result<Found> {
    let footer = app.tables.footer(&app.files, &table.file).await?;
    let has_changes = rows::has_key(app, table.file.listing_id, &table.file.name).await?;
    Ok(Found { share, table, footer, has_changes })
}

/// The newest version of a table, or the first one from an instant on.
///
/// # Errors
/// `NotFound`; `Malformed` for an instant after the newest version.
pub(super) async fn find_version(
    app: &AppState,
    recipient: &Recipient,
    name: &TableName,
    from: Option<&str>,
) -> Result<i32> {
    let at = from.map_or(Ok(At::Newest), |text| instant(text).map(At::From))?;
    let share = find_schema(app, recipient, &name.share, &name.schema).await?;
    let (_, version) = tables::find_table(app, &share, &name.table, at).await?;
    let found = version.ok_or_else(|| refused("No version of this table is as new as that timestamp."))?;
    Ok(found.file.number)
}

impl Found {
    /// What is said of the table.
    pub(super) fn facts(&self) -> TableFacts {
        let file = &self.table.file;
        let identity = format!("torv:tbl:{}:{}", file.listing_id, file.name);
        TableFacts {
            id: Uuid::new_v5(&Uuid::NAMESPACE_OID, identity.as_bytes()),
            name: self.table.name.clone(),
            version: file.number,
            created_at: file.published_at(),
            schema_string: self.schema().to_string(),
            has_changes: self.has_changes,
            size_bytes: file.size_bytes,
            rows: self.footer.reader.metadata().file_metadata().num_rows(),
        }
    }

    /// Its columns, as Delta writes them.
    pub(super) fn schema(&self) -> Value {
        schema::schema_json(&self.footer.schema)
    }

    /// What counts the use of its grant.
    pub(super) fn meter(&self) -> Option<MeterId> {
        self.share.grant.meter_id
    }

    /// When links that are made now end.
    pub(super) fn links_end(&self, app: &AppState) -> OffsetDateTime {
        expiry(&self.share.grant, app.clock.now(), app.config.auth.download_link_seconds)
    }

    /// A link to a file that was counted, in a format.
    pub(super) fn link(
        &self,
        app: &AppState,
        file_id: FileId,
        format: RenditionFormat,
        expires_at: OffsetDateTime,
    ) -> String {
        let grant_id = self.share.grant.id;
        self.address(app, format, Link { grant_id, file_id, format: Some(format), expires_at, is_counted: true })
    }

    /// A link to the Parquet file of another version, which is counted when it is fetched.
    pub(super) fn uncounted_link(&self, app: &AppState, file: &TableFile, expires_at: OffsetDateTime) -> String {
        let (grant_id, format) = (self.share.grant.id, RenditionFormat::Parquet);
        let link = Link { grant_id, file_id: file.id, format: Some(format), expires_at, is_counted: false };
        self.address(app, format, link)
    }

    fn address(&self, app: &AppState, format: RenditionFormat, link: Link) -> String {
        let path = link.path(&app.secrets, &name_in(format, &self.table.file.name));
        format!("{}{path}{PRESIGNED}", app.config.public_url())
    }

    /// True when both response formats can describe it.
    pub(super) fn is_plain(&self) -> bool {
        schema::is_plain(&self.footer.schema)
    }

    /// Hands out the file: counts it, once for a grant however often it is asked for, and signs a link.
    ///
    /// # Errors
    /// `Conflict` when the units of a metered grant are used up.
    pub(super) async fn hand_out(&self, app: &AppState) -> Result<FileFacts> {
        let file = &self.table.file;
        if let Some(meter) = self.meter() {
            let handed = HandedOut::file(file.id, u64::try_from(file.size_bytes).unwrap_or(0));
            usage::hand_out(app, meter, vec![handed], app.clock.now()).await?;
        }
        let expires_at = self.links_end(app);
        let url = self.link(app, file.id, RenditionFormat::Parquet, expires_at);
        Ok(FileFacts { id: file.sha256.clone(), url, expires_at })
    }
}
