//! A table version by version, as a reader of a stream follows it: a version is one file, in place of the one before.
//!
//! Source: delta-io/delta-sharing, `PROTOCOL.md`, "Read Data from a Table" with `startingVersion`.

use std::sync::Arc;

use entity::states::RenditionFormat;
use serde_json::Value;
use time::OffsetDateTime;

use super::{
    capabilities::ResponseFormat,
    model::{self, ChangeFacts, ChangeKind, TableFacts},
    schema,
    service::{self, Found, TableName, find_schema, refused, version_number},
};
use crate::{
    auth::actor::Recipient,
    delivery::tables::{self, At, Footer, Table, TableFile},
    error::{Error, Result},
    limits,
    state::AppState,
    trade::usage::{self, HandedOut},
};

/// What became of a table over some versions.
pub(super) struct Log {
    /// The table as it was in the first version that was asked for.
    first: Found,
    /// That version.
    from: i32,
    steps: Vec<Step>,
}

/// One version of it.
struct Step {
    file: TableFile,
    footer: Arc<Footer>,
    /// The file that this one took the place of.
    replaced: Option<TableFile>,
}

/// Finds the versions of a table from one on; `until` is a hint that may lie behind the newest.
///
/// # Errors
/// `NotFound`; `Malformed` for versions that the table does not have, and for too many.
pub(super) async fn find(
    app: &AppState,
    recipient: &Recipient,
    name: &TableName,
    (from, until): (i64, Option<i64>),
) -> Result<Log> {
    let (from, until) = (version_number(from)?, until.map(version_number).transpose()?);
    let share = find_schema(app, recipient, &name.share, &name.schema).await?;
    let newest = tables::table_named(app, &share, &name.table).await?;
    let latest = newest.file.number;
    if from > latest {
        return Err(refused(format!("The newest version of this table is {latest}.")));
    }
    let to = until.map_or(latest, |until| until.min(latest));
    if from > to {
        return Err(refused("No version lies between startingVersion and endingVersion."));
    }
    let most = limits::SHARING_CHANGES_SPAN_MAX;
    let versions = tables::list_versions(app, &share, &newest, (from, to), most + 1).await?;
    if versions.len() > most {
        return Err(refused(format!("Ask for at most {most} versions at once; name an endingVersion.")));
    }
    let before = tables::find_version(app, &share, &newest, At::Version(from - 1)).await?;
    let begins = versions.first().filter(|file| file.number == from || before.is_none()).cloned();
    let begins = begins.map(|file| Table { name: newest.name.clone(), file }).or_else(|| before.clone());
    let begins = begins.ok_or_else(|| refused("This table has no version as old as that; ask for a newer one."))?;
    let mut steps = Vec::with_capacity(versions.len());
    let mut replaced = before.map(|table| table.file);
    for file in versions {
        let footer = app.tables.footer(&app.files, &file).await?;
        steps.push(Step { footer, replaced: replaced.replace(file.clone()), file });
    }
    let first = service::open(app, share, begins).await?;
    Ok(Log { first, from, steps })
}

impl Log {
    /// True when both response formats can describe all of it.
    pub(super) fn is_plain(&self) -> bool {
        self.first.is_plain() && self.steps.iter().all(|step| schema::is_plain(&step.footer.schema))
    }

    /// The version that was asked for.
    pub(super) const fn from(&self) -> i32 {
        self.from
    }

    /// Hands out the files: counts those that are new, each once for a grant however often it is asked for, and signs
    /// their links; returns the lines of the answer and the end of the links.
    ///
    /// # Errors
    /// `Conflict` when the units of a metered grant are used up.
    pub(super) async fn hand_out(
        &self,
        app: &AppState,
        format: ResponseFormat,
    ) -> Result<(Vec<Value>, OffsetDateTime)> {
        if let Some(meter) = self.first.meter() {
            let handed = self.steps.iter().map(|step| HandedOut::file(step.file.id, bytes_of(&step.file)));
            usage::hand_out(app, meter, handed.collect(), app.clock.now()).await?;
        }
        let expires_at = self.first.links_end(app);
        let begins = TableFacts { version: self.from, ..self.first.facts() };
        let mut known = begins.schema_string.clone();
        let mut lines = model::head(format, &begins);
        for step in &self.steps {
            let facts = step.facts(&begins);
            if facts.schema_string != known {
                known.clone_from(&facts.schema_string);
                lines.extend(model::head(format, &facts).pop());
            }
            let line = |file: &TableFile, kind: ChangeKind, rows: u64| {
                let link = match kind {
                    // It is counted when somebody fetches it who has not had it yet.
                    ChangeKind::Removed => self.first.uncounted_link(app, file, expires_at),
                    ChangeKind::Added | ChangeKind::Rows => {
                        self.first.link(app, file.id, RenditionFormat::Parquet, expires_at)
                    }
                };
                let (id, size_bytes, version) = (file.sha256.clone(), bytes_of(file), step.file.number);
                let at = step.file.published_at();
                model::change(format, &ChangeFacts { kind, id, url: link, version, at, size_bytes, rows, expires_at })
            };
            lines.extend(step.replaced.as_ref().map(|file| line(file, ChangeKind::Removed, 0)));
            lines.push(line(&step.file, ChangeKind::Added, step.rows()?));
        }
        Ok((lines, expires_at))
    }
}

impl Step {
    fn rows(&self) -> Result<u64> {
        u64::try_from(self.footer.reader.metadata().file_metadata().num_rows()).map_err(Error::internal)
    }

    fn facts(&self, table: &TableFacts) -> TableFacts {
        TableFacts {
            version: self.file.number,
            created_at: self.file.published_at(),
            schema_string: schema::schema_json(&self.footer.schema).to_string(),
            size_bytes: self.file.size_bytes,
            rows: self.footer.reader.metadata().file_metadata().num_rows(),
            ..table.clone()
        }
    }
}

fn bytes_of(file: &TableFile) -> u64 {
    u64::try_from(file.size_bytes).unwrap_or(0)
}
