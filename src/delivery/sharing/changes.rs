//! The feed of what changed in a table: which files tell it, and handing them out.

use entity::{ids::FileId, states::RenditionFormat};
use time::OffsetDateTime;

use super::{
    model::{ChangeFacts, ChangeKind, TableFacts},
    schema::{self, Typed},
    service::{self, Found, TableName, find_schema, instant, refused, version_number},
};
use crate::{
    auth::actor::Recipient,
    catalog::{
        profile::convert::ColumnInfo,
        renditions::{self, ChangesFile},
        revisions::rows::{self, ChangedBy, StepRows},
    },
    delivery::tables::{self, At, Share, Table},
    error::{Error, Result},
    limits,
    state::AppState,
    trade::usage::{self, HandedOut},
};

/// After how many seconds a client may ask again for changes that are being prepared.
const RETRY_SECONDS: u32 = 2;

/// The versions asked for, as they were written.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    pub(super) starting_version: Option<i64>,
    pub(super) starting_timestamp: Option<String>,
    pub(super) ending_version: Option<i64>,
    pub(super) ending_timestamp: Option<String>,
}

/// One end of a range of versions.
#[derive(Debug, Clone, Copy)]
enum Bound {
    Version(i32),
    Instant(OffsetDateTime),
}

impl Asked {
    fn bounds(&self) -> Result<(Bound, Option<Bound>)> {
        let one = |version: Option<i64>, timestamp: Option<&str>, names: &str| match (version, timestamp) {
            (Some(_), Some(_)) => Err(refused(format!("Name one of {names}, not both."))),
            (Some(version), None) => version_number(version).map(|number| Some(Bound::Version(number))),
            (None, Some(text)) => instant(text).map(|at| Some(Bound::Instant(at))),
            (None, None) => Ok(None),
        };
        let starts = "startingVersion and startingTimestamp";
        let start = one(self.starting_version, self.starting_timestamp.as_deref(), starts)?;
        let start = start.ok_or_else(|| refused(format!("Say from when on: name one of {starts}.")))?;
        let ends = "endingVersion and endingTimestamp";
        Ok((start, one(self.ending_version, self.ending_timestamp.as_deref(), ends)?))
    }
}

/// What changed in a table over some versions.
pub(super) struct Feed {
    /// The table as it is in the end.
    last: Found,
    /// The first version that was asked for.
    from: i32,
    schema_string: String,
    files: Vec<FeedFile>,
}

/// One file of it.
struct FeedFile {
    /// The whole table, which is new in this version.
    is_whole: bool,
    version: i32,
    at: OffsetDateTime,
    file_id: FileId,
    size_bytes: u64,
    sha256: String,
    rows: u64,
    columns: Vec<ColumnInfo>,
}

/// Finds what changed in a table.
///
/// # Errors
/// `NotFound`; `Malformed` for versions that the table does not have, or whose changes are not known; `Unavailable` while
/// they are being prepared.
pub(super) async fn find(app: &AppState, recipient: &Recipient, name: &TableName, asked: &Asked) -> Result<Feed> {
    let (start, end) = asked.bounds()?;
    let share = find_schema(app, recipient, &name.share, &name.schema).await?;
    let newest = tables::table_named(app, &share, &name.table).await?;
    let (listing, file_name) = (newest.file.listing_id, newest.file.name.clone());
    if !rows::has_key(app, listing, &file_name).await? {
        return Err(refused(format!(
            "Change data feed is not enabled on table {}.{}.{}: its provider has not named the columns that tell its rows \
             apart (PUT /api/v1/listings/{{id}}/row-keys/{file_name}).",
            share.name, share.schema, newest.name
        )));
    }
    let first = tables::find_version(app, &share, &newest, At::From(OffsetDateTime::UNIX_EPOCH)).await?;
    let first = first.ok_or_else(|| Error::not_found("table"))?;
    let (from, last) = range(app, &share, (&first, &newest), (start, end)).await?;
    let to = last.file.number;
    let begun = from.max(first.file.number);
    if usize::try_from(to - begun).is_ok_and(|span| span >= limits::SHARING_CHANGES_SPAN_MAX) {
        let most = limits::SHARING_CHANGES_SPAN_MAX;
        return Err(refused(format!("Ask for at most {most} versions at once; name an endingVersion.")));
    }
    let is_new = from <= first.file.number;
    let mut files = Vec::new();
    if is_new {
        files.push(whole(app, &first).await?);
    }
    let after = if is_new { first.file.number } else { from - 1 };
    for step in rows::list_steps(app, listing, &file_name, (after, to)).await? {
        files.extend(changed(step)?);
    }
    let last = service::open(app, share, last).await?;
    let typed: Vec<Typed<'_>> = files.iter().map(|file| (file.version, file.columns.as_slice())).collect();
    let schema_string = schema::widened(&last.schema(), &typed).map_err(|(column, version)| {
        refused(format!(
            "The column {column:?} is of another type in version {version} than in version {to}. Ask for the versions up \
             to {version} apart from those behind it."
        ))
    })?;
    Ok(Feed { last, from, schema_string, files })
}

/// The first version asked for, and the table in the last one.
async fn range(
    app: &AppState,
    share: &Share,
    (first, newest): (&Table, &Table),
    (start, end): (Bound, Option<Bound>),
) -> Result<(i32, Table)> {
    let (oldest, latest) = (first.file.number, newest.file.number);
    let beyond = || refused(format!("The newest version of this table is {latest}."));
    let too_early = || refused(format!("The first version of this table is {oldest}."));
    let from = match start {
        Bound::Version(number) if number > latest => return Err(beyond()),
        Bound::Version(number) => number,
        Bound::Instant(at) => {
            let version = tables::find_version(app, share, newest, At::From(at)).await?;
            let none = || refused("No version of this table is as new as startingTimestamp.");
            version.ok_or_else(none)?.file.number
        }
    };
    let (to, last) = match end {
        None => (latest, Some(newest.clone())),
        Some(Bound::Version(number)) if number > latest => return Err(beyond()),
        Some(Bound::Version(number)) => (number, tables::find_version(app, share, newest, At::Version(number)).await?),
        Some(Bound::Instant(at)) => {
            let version = tables::find_version(app, share, newest, At::Until(at)).await?;
            (version.as_ref().map_or(0, |table| table.file.number), version)
        }
    };
    let last = last.ok_or_else(too_early)?;
    if from > to {
        return Err(refused("No version of this table lies between the start and the end that were asked for."));
    }
    Ok((from, last))
}

/// The whole table in its first version: all its rows are new.
async fn whole(app: &AppState, table: &Table) -> Result<FeedFile> {
    let file = &table.file;
    let made = renditions::find_parquet(app.db.read(), file.id).await?.ok_or_else(|| Error::not_found("table"))?;
    Ok(FeedFile {
        is_whole: true,
        version: file.number,
        at: file.published_at(),
        file_id: file.id,
        size_bytes: made.size_bytes,
        sha256: made.sha256,
        rows: made.rows,
        columns: made.columns,
    })
}

/// The file of a step; nothing where no row changed.
fn changed(step: ChangedBy) -> Result<Option<FeedFile>> {
    let version = step.number;
    let unknown = |reason: &str| {
        let reason = reason.trim_end_matches('.');
        let next = version.saturating_add(1);
        refused(format!(
            "What version {version} changed is not known: {reason}. Read that version whole, and ask for changes from \
             version {next} on."
        ))
    };
    let made = match step.rows {
        StepRows::None => return Ok(None),
        StepRows::Pending | StepRows::File(ChangesFile::Waits) => {
            let detail = format!("What version {version} changed is being prepared. Ask again in a moment.");
            return Err(Error::unavailable(detail, RETRY_SECONDS));
        }
        StepRows::Unknown(reason) | StepRows::File(ChangesFile::Failed(reason)) => return Err(unknown(&reason)),
        StepRows::File(ChangesFile::Made(made)) => made,
    };
    Ok(Some(FeedFile {
        is_whole: false,
        version,
        at: step.published_at,
        file_id: made.file_id,
        size_bytes: made.size_bytes,
        sha256: made.sha256,
        rows: made.rows,
        columns: made.columns,
    }))
}

impl Feed {
    /// What is said of the table: as it is in the end, from the first version on that was asked for.
    pub(super) fn facts(&self) -> TableFacts {
        TableFacts { version: self.from, schema_string: self.schema_string.clone(), ..self.last.facts() }
    }

    /// True when both response formats can describe it.
    pub(super) fn is_plain(&self) -> bool {
        self.last.is_plain()
    }

    /// Hands out the files: counts them, each once for a grant however often it is asked for, and signs their links;
    /// returns them with the end of the links.
    ///
    /// # Errors
    /// `Conflict` when the units of a metered grant are used up.
    pub(super) async fn hand_out(&self, app: &AppState) -> Result<(Vec<ChangeFacts>, OffsetDateTime)> {
        if let Some(meter) = self.last.meter() {
            let handed = self.files.iter().map(|file| match file.is_whole {
                true => HandedOut::file(file.file_id, file.size_bytes),
                false => HandedOut::changes(file.file_id, &file.sha256, file.size_bytes),
            });
            usage::hand_out(app, meter, handed.collect(), app.clock.now()).await?;
        }
        let expires_at = self.last.links_end(app);
        let files = self.files.iter().map(|file| ChangeFacts {
            kind: if file.is_whole { ChangeKind::Added } else { ChangeKind::Rows },
            id: file.sha256.clone(),
            url: self.last.link(app, file.file_id, file.format(), expires_at),
            version: file.version,
            at: file.at,
            size_bytes: file.size_bytes,
            rows: file.rows,
            expires_at,
        });
        Ok((files.collect(), expires_at))
    }
}

impl FeedFile {
    fn format(&self) -> RenditionFormat {
        if self.is_whole { RenditionFormat::Parquet } else { RenditionFormat::Changes }
    }
}
