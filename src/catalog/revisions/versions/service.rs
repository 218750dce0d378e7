//! Giving published revisions their versions, and telling what an open one would get.

use std::collections::{BTreeMap, HashMap};

use entity::{
    Timestamp,
    ids::{FileId, OrgId, RevisionId},
    revision, revision_version,
    states::{ProfileState, RevisionState},
};
use serde_json::json;
use time::Duration;

use super::{
    contract::{self, Change, Contract, FilePromise, TablePromise},
    model::{Step, Version, reaches_older_at},
    store::{self, Assigned, Changes},
};
use crate::{
    catalog::{
        listings,
        profile::Profile,
        revisions::{
            rows::{self, KeptFile},
            store::{self as revisions, FileRow},
        },
    },
    db::outbox::{self, News},
    error::{Error, Result},
    limits,
    state::AppState,
};

/// Revisions that get a version in one round.
const BATCH: u64 = 20;

/// What a revision is against the one before it.
#[derive(Debug, Clone)]
pub(super) struct Judged {
    pub(super) version: Version,
    pub(super) step: Step,
    /// When it would reach, or reaches, grants on an older major.
    pub(super) reaches_older_at: Timestamp,
    /// Against which version; absent for the first.
    pub(super) previous: Option<Version>,
    pub(super) changes: Vec<Change>,
    contract: Contract,
    /// Files that the version before has as well.
    kept_files: Vec<KeptFile>,
}

/// Gives published revisions their versions, oldest first, once their files are profiled; returns how many.
///
/// # Errors
/// Those of the database.
pub async fn assign_due(app: &AppState) -> Result<usize> {
    let overdue = app.clock.now() - Duration::hours(limits::VERSION_WAIT_HOURS);
    let mut assigned = 0;
    for row in store::due(app.db.read(), overdue, BATCH).await? {
        assigned += usize::from(assign(app, row).await?);
    }
    Ok(assigned)
}

async fn assign(app: &AppState, row: revision::Model) -> Result<bool> {
    let now = app.clock.now();
    let files = revisions::files(app.db.read(), row.id).await?;
    let judged = judge(app, &row, &files).await?;
    let kept = Changes {
        total: judged.changes.len(),
        items: judged.changes.iter().take(limits::VERSION_CHANGES_MAX).cloned().collect(),
    };
    let assigned = Assigned {
        version: judged.version,
        reaches_older_at: judged.reaches_older_at,
        kept: revision_version::Model {
            revision_id: row.id,
            listing_id: row.listing_id,
            number: row.number,
            contract: serde_json::to_value(&judged.contract)?,
            changes: serde_json::to_value(kept)?,
            assigned_at: Timestamp(now),
        },
    };
    let news = if row.gives_notice { news(&row, &judged) } else { Vec::new() };
    let (listing, revision, kept_files) = (row.listing_id, (row.id, row.number), judged.kept_files);
    app.db
        .write("catalog.assign_version", move |tx| {
            let (assigned, news, kept_files) = (assigned.clone(), news.clone(), kept_files.clone());
            async move {
                // A key that is set meanwhile waits for this, and then sees the version.
                listings::lock(&tx, listing).await?;
                let is_mine = store::assign(&tx, assigned).await?;
                if is_mine {
                    rows::plan(&tx, listing, revision, &kept_files, now).await?;
                    outbox::append(&tx, news, now).await?;
                }
                Ok((is_mine, tx))
            }
        })
        .await
}

fn news(row: &revision::Model, judged: &Judged) -> Vec<News> {
    let shown: Vec<&Change> = judged.changes.iter().take(limits::NEWS_CHANGES_MAX).collect();
    let mut payload = json!({
        "listing_id": row.listing_id, "revision_id": row.id, "number": row.number,
        "version": judged.version.to_string(), "step": judged.step,
        "previous_version": judged.previous.map(|version| version.to_string()),
        "changes": shown, "changes_total": judged.changes.len(),
    });
    let news = |kind, payload| News { topic: row.listing_id.to_string(), kind, payload };
    let mut all = vec![news("revision.versioned", payload.clone())];
    if judged.step == Step::Major && judged.previous.is_some() {
        payload["reaches_older_grants_at"] = json!(judged.reaches_older_at);
        all.push(news("revision.breaking", payload));
    }
    all
}

/// Compares the files of a revision with what the one before it promises. A file without a profile counts as one that
/// can't be read as a table.
async fn judge(app: &AppState, row: &revision::Model, files: &[FileRow]) -> Result<Judged> {
    let conn = app.db.read();
    let promised = store::promised_before(conn, row.listing_id, row.number).await?;
    let empty = Contract::default();
    let before = promised.as_ref().map_or(&empty, |promised| &promised.contract);
    let known: HashMap<&str, Option<&TablePromise>> =
        before.0.values().map(|file| (file.sha256.as_str(), file.table.as_ref())).collect();
    let unknown: Vec<FileId> =
        files.iter().filter(|file| !known.contains_key(file.sha256.as_str())).map(|file| file.id).collect();
    let mut tables = HashMap::new();
    store::profiles(conn, &unknown, |id, profile| {
        let profile: Profile = serde_json::from_value(profile)?;
        tables.insert(id, TablePromise::of(&profile));
        Ok(())
    })
    .await?;
    let found = files.iter().map(|file| {
        let table = tables.remove(&file.id).or_else(|| known.get(file.sha256.as_str()).copied().flatten().cloned());
        (file.name.clone(), FilePromise { sha256: file.sha256.clone(), table })
    });
    let found = Contract(found.collect::<BTreeMap<_, _>>());
    let time = (app.clock.now(), Duration::days(app.config.catalog.breaking_notice_days.into()));
    let Some(promised) = &promised else {
        let (version, step) = (Version::FIRST, Step::Major);
        let reaches_older_at = reaches_older_at(step, None, row.gives_notice, time);
        return Ok(Judged {
            version,
            step,
            reaches_older_at,
            previous: None,
            changes: Vec::new(),
            contract: found,
            kept_files: Vec::new(),
        });
    };
    let kept_files = found.0.iter().filter_map(|(name, file)| {
        let before = promised.contract.0.get(name)?;
        Some(KeptFile { name: name.clone(), is_same: before.sha256 == file.sha256 })
    });
    let kept_files = kept_files.collect();
    let (contract, changes) = contract::compare(&promised.contract, found);
    let step = changes.iter().map(|change| change.step).max().unwrap_or(Step::Patch);
    Ok(Judged {
        version: promised.version.after(step),
        step,
        reaches_older_at: reaches_older_at(step, promised.reaches_older_at, row.gives_notice, time),
        previous: Some(promised.version),
        changes,
        contract,
        kept_files,
    })
}

/// What an open revision would be.
#[derive(Debug)]
pub(super) struct Preview {
    pub(super) revision: revision::Model,
    /// Absent while files wait to be profiled, or versions before it to be given.
    pub(super) judged: Option<Judged>,
    /// Files that wait to be profiled.
    pub(super) pending: Vec<String>,
}

/// Tells what an open revision of `owner` would be if it were published now.
///
/// # Errors
/// `NotFound` for a revision of somebody else; `Conflict` once it is published.
pub(super) async fn preview(app: &AppState, owner: OrgId, id: RevisionId) -> Result<Preview> {
    let conn = app.db.read();
    let row = revisions::find_owned(conn, id, owner).await?.ok_or_else(|| Error::not_found("revision"))?;
    if row.state == RevisionState::Published {
        return Err(Error::conflict("It is published: the changelog of its listing tells its version."));
    }
    let files = revisions::files(conn, id).await?;
    let pending: Vec<String> =
        files.iter().filter(|file| file.profile_state == ProfileState::Pending).map(|file| file.name.clone()).collect();
    let waits = files.is_empty() || !pending.is_empty() || store::has_unversioned(conn, row.listing_id).await?;
    let would_be = revision::Model { gives_notice: true, ..row.clone() };
    let judged = if waits { None } else { Some(judge(app, &would_be, &files).await?) };
    Ok(Preview { revision: row, judged, pending })
}
