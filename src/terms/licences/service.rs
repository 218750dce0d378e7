//! Use cases of licences: write, keep, archive, and have the open ones at hand.

use entity::{Timestamp, ids::LicenceId, licence, states::LicenceKind};

use super::{
    BuildError, LicenceDocument, OpenLicence, Preset, Terms,
    store::{self, Kept, NewLicence},
};
use crate::{
    auth::Actor,
    base::{Clock, LangText},
    db::Db,
    error::{Error, FieldError, Result},
    limits,
    people::audit,
    state::AppState,
};

impl From<BuildError> for Error {
    fn from(error: BuildError) -> Self {
        match error {
            BuildError::Invalid(faults) => {
                let fields =
                    faults.into_iter().map(|fault| FieldError { pointer: fault.pointer, detail: fault.detail });
                Self::invalid_fields(fields.collect())
            }
            BuildError::Json(cause) => cause.into(),
        }
    }
}

/// What a provider's licence is written from: a preset, or terms of its own with a title.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub title: Option<LangText>,
    pub preset: Option<Preset>,
    pub terms: Option<Terms>,
}

impl Draft {
    /// Writes the document.
    ///
    /// # Errors
    /// `Invalid` with every fault, or when it names both a preset and terms, or neither.
    pub(super) fn write(self) -> Result<LicenceDocument> {
        let (title, terms) = match (self.preset, self.terms) {
            (Some(preset), None) => (self.title.unwrap_or_else(|| preset.title()), preset.terms()),
            (None, Some(terms)) => (self.title.unwrap_or_default(), terms),
            _ => return Err(Error::invalid("/terms", "Give either a preset or full terms.")),
        };
        Ok(LicenceDocument::commercial(title, terms)?)
    }
}

/// Gives every open licence its row and its document, once for all processes on one database.
///
/// A row keeps the document it was made with, so that a new wording never changes what an offer says.
///
/// # Errors
/// Those of the database.
pub async fn seed(db: &Db, clock: &Clock) -> Result<()> {
    let open = OpenLicence::all();
    let codes: Vec<_> = open.iter().map(|licence| licence.spdx_id).collect();
    if store::count_coded(db.read(), codes).await? == u64::try_from(open.len()).unwrap_or(u64::MAX) {
        return Ok(());
    }
    let (mut documents, mut licences) = (Vec::new(), Vec::new());
    for licence in open {
        let kept = keep(&LicenceDocument::open(licence, LangText::default())?)?;
        licences.push(NewLicence {
            id: LicenceId::derived(licence.spdx_id),
            owner: None,
            code: Some(licence.spdx_id.to_owned()),
            title: licence.title(),
            hash: kept.hash.clone(),
        });
        documents.push(kept);
    }
    let now = Timestamp(clock.now());
    db.write("terms.seed_licences", move |tx| {
        let (documents, licences) = (documents.clone(), licences.clone());
        async move {
            store::keep_documents(tx.conn(), documents, now).await?;
            store::insert(tx.conn(), licences, now).await?;
            Ok(((), tx))
        }
    })
    .await
}

fn keep(document: &LicenceDocument) -> Result<Kept> {
    Ok(Kept { hash: document.hash()?, text: document.canonical_json()? })
}

/// Keeps a provider's own licence.
///
/// # Errors
/// `Invalid` for faulty terms, `Forbidden` for an organisation that provides nothing, `Conflict` at
/// [`limits::LICENCES_PER_ORGANIZATION_MAX`].
pub(super) async fn create(app: &AppState, actor: Actor, draft: Draft) -> Result<(licence::Model, LicenceDocument)> {
    crate::catalog::require_provider(&actor)?;
    let document = draft.write()?;
    let kept = keep(&document)?;
    let now = app.clock.now();
    let id = LicenceId::at(now);
    let new = NewLicence {
        id,
        owner: Some(actor.org_id()),
        code: None,
        title: document.title.clone(),
        hash: kept.hash.clone(),
    };
    let row = app
        .db
        .write("terms.create_licence", move |tx| {
            let (kept, new, actor) = (kept.clone(), new.clone(), actor.clone());
            async move {
                if store::count_live(tx.conn(), actor.org_id()).await? >= limits::LICENCES_PER_ORGANIZATION_MAX {
                    let most = limits::LICENCES_PER_ORGANIZATION_MAX;
                    return Err(Error::conflict(format!("You have {most} licences. Archive one you don't use.")));
                }
                let detail = serde_json::json!({"hash": kept.hash});
                store::keep_documents(tx.conn(), vec![kept], Timestamp(now)).await?;
                store::insert(tx.conn(), vec![new], Timestamp(now)).await?;
                audit::record(&tx, &actor, "licence.create", id, detail, now).await?;
                let row = store::find_shown(tx.conn(), id, Some(actor.org_id())).await?;
                Ok((row, tx))
            }
        })
        .await?;
    let row = row.ok_or_else(|| Error::internal("a licence just inserted is not there"))?;
    Ok((row, document))
}

/// Takes a licence out of use for new offers; offers and grants that have it keep it. Repeating it changes nothing.
///
/// # Errors
/// `NotFound` for a licence of somebody else, `Forbidden` for an open one, which belongs to everyone.
pub(super) async fn archive(app: &AppState, actor: Actor, id: LicenceId) -> Result<()> {
    let now = app.clock.now();
    app.db
        .write("terms.archive_licence", move |tx| {
            let actor = actor.clone();
            async move {
                let row = store::find_shown(tx.conn(), id, Some(actor.org_id())).await?;
                let row = row.ok_or_else(|| Error::not_found("licence"))?;
                if row.kind == LicenceKind::Open {
                    return Err(Error::forbidden("Open licences belong to everyone and can't be archived."));
                }
                if store::archive(tx.conn(), id, actor.org_id(), Timestamp(now)).await? {
                    audit::record(&tx, &actor, "licence.archive", id, serde_json::json!({}), now).await?;
                }
                Ok(((), tx))
            }
        })
        .await
}
