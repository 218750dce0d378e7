//! What can be done to a listing: each use case in one transaction, with its line in the audit log.

use entity::{
    Timestamp,
    ids::{ListingId, RevisionId},
    listing,
    states::ListingState,
};
use serde_json::json;
use time::OffsetDateTime;

use super::{
    fields::{ListingIn, ListingPatch},
    model::{ListingError, Step, is_answerable, refuse_price, require_editable, require_ready, transition},
    store::{self, Facet},
};
use crate::{
    auth::Actor,
    catalog::{require_provider, tokens::search_text},
    db::{
        Tx,
        outbox::{self, News},
    },
    error::{Check, Error, Problem, Result},
    people::audit,
    state::AppState,
};

/// Writes a new draft; returns its id.
///
/// # Errors
/// [`Problem::Forbidden`] for an organisation that may not list; [`Problem::Invalid`] for bad values.
pub(super) async fn create_listing(app: &AppState, actor: Actor, input: ListingIn) -> Result<ListingId> {
    require_provider(&actor)?;
    let now = app.clock.now();
    let fields = input.checked(now)?;
    let id = ListingId::at(now);
    app.db
        .write("catalog.create_listing", move |tx| {
            let (actor, fields) = (actor.clone(), fields.clone());
            async move {
                require_known_audience(&tx, &fields).await?;
                let text = searchable(&tx, &actor, &fields).await?;
                store::insert_draft(&tx, id, actor.org_id(), &fields, text, Timestamp(now)).await?;
                let detail = json!({"theme": fields.theme, "audience": fields.audience});
                audit::record(&tx, &actor, "listing.create", id, detail, now).await?;
                Ok((id, tx))
            }
        })
        .await
}

/// Changes the description of the listing, which must still have the version the client read.
///
/// # Errors
/// [`Problem::EditedMeanwhile`] for another version; [`Problem::Conflict`] for a state that can't be edited or a
/// published listing that would lose what it needs; [`Problem::PriceGuard`] when a listing with a price would move
/// to a theme that the law keeps free.
pub(super) async fn edit_listing(
    app: &AppState,
    actor: Actor,
    id: ListingId,
    version: i32,
    patch: ListingPatch,
) -> Result<()> {
    let now = app.clock.now();
    app.db
        .write("catalog.edit_listing", move |tx| {
            let (actor, patch) = (actor.clone(), patch.clone());
            async move {
                let row = lock_own(&tx, &actor, id).await?;
                if row.version != version {
                    let advice = "Somebody changed the listing since you read it. Read it again, then repeat the edit.";
                    return Err(Error::new(Problem::EditedMeanwhile, advice));
                }
                let before = ListingIn::of(&row, store::audience(tx.conn(), id).await?)?;
                let fields = before.clone().patched(patch).checked(now)?;
                require_still_good(&actor, &row, &fields)?;
                if fields.audience_organizations != before.audience_organizations {
                    require_known_audience(&tx, &fields).await?;
                    store::replace_audience(&tx, id, &fields.audience_organizations).await?;
                }
                let text = searchable(&tx, &actor, &fields).await?;
                store::update_description(&tx, &row, &fields, text, Timestamp(now)).await?;
                let detail = json!({"from_version": version, "theme": fields.theme, "audience": fields.audience});
                audit::record(&tx, &actor, "listing.edit", id, detail, now).await?;
                Ok(((), tx))
            }
        })
        .await
}

/// What an edit may not break.
fn require_still_good(actor: &Actor, row: &listing::Model, fields: &ListingIn) -> Result<()> {
    require_editable(row.state)?;
    if row.has_paid_offer && fields.theme != row.theme {
        refuse_price(actor.organization.provider_kind, fields.theme)?;
    }
    if row.state != ListingState::Published {
        return Ok(());
    }
    let mut check = Check::new();
    check.require(!fields.use_cases.is_empty(), "/use_cases", "A published listing keeps at least one use case.");
    check.done()?;
    if !is_answerable(row.has_free_offer, row.has_paid_offer, fields.answer_within_days) {
        return Err(ListingError::NothingToAnswer.into());
    }
    Ok(())
}

/// What the owner does to the state of their listing: publish, withdraw, retire.
///
/// # Errors
/// [`Problem::Conflict`] for a step its state does not know, or when something is missing before it can be seen.
pub(super) async fn move_listing(app: &AppState, actor: Actor, id: ListingId, step: Step) -> Result<()> {
    require_provider(&actor)?;
    let now = app.clock.now();
    app.db
        .write("catalog.move_listing", move |tx| {
            let actor = actor.clone();
            async move {
                let row = lock_own(&tx, &actor, id).await?;
                apply(&tx, &actor, &row, step, None, now).await?;
                Ok(((), tx))
            }
        })
        .await
}

/// What the operator decides about a listing in review; a return says why.
///
/// # Errors
/// [`Problem::NotFound`] when it is not in review; [`Problem::Conflict`] when something is missing.
pub(super) async fn review_listing(
    app: &AppState,
    operator: Actor,
    id: ListingId,
    step: Step,
    note: Option<String>,
) -> Result<()> {
    let now = app.clock.now();
    app.db
        .write("catalog.review_listing", move |tx| {
            let (operator, note) = (operator.clone(), note.clone());
            async move {
                let row = store::lock_in_review(&tx, id).await?.ok_or_else(|| Error::not_found("listing in review"))?;
                apply(&tx, &operator, &row, step, note, now).await?;
                Ok(((), tx))
            }
        })
        .await
}

/// Takes one step and tells everyone whom it concerns.
async fn apply(
    tx: &Tx,
    actor: &Actor,
    row: &listing::Model,
    step: Step,
    note: Option<String>,
    now: OffsetDateTime,
) -> Result<()> {
    let next = transition(row.state, step)?;
    if matches!(next, ListingState::InReview | ListingState::Published) {
        require_ready(row)?;
    }
    let review_note = match step {
        Step::Return => note.clone(),
        Step::Approve => None,
        _ => row.review_note.clone(),
    };
    store::update_state(tx, row, next, review_note, Timestamp(now)).await?;
    let detail = json!({"from": row.state, "to": next, "note": note});
    audit::record(tx, actor, audit_action(step), row.id, detail, now).await?;
    let kind = match next {
        ListingState::Published => "listing.published",
        ListingState::Retired => "listing.retired",
        ListingState::Draft | ListingState::InReview => return Ok(()),
    };
    let payload = json!({"listing_id": row.id, "organization_id": row.organization_id, "audience": row.audience});
    outbox::append(tx, vec![News { topic: row.id.to_string(), kind, payload }], now).await
}

const fn audit_action(step: Step) -> &'static str {
    match step {
        Step::Publish { review: true } => "listing.submit",
        Step::Publish { review: false } => "listing.publish",
        Step::Withdraw => "listing.withdraw",
        Step::Approve => "listing.approve",
        Step::Return => "listing.return",
        Step::Retire => "listing.retire",
    }
}

/// Makes `revision` the one that `row` offers, with the formats of its files. Joins the caller's transaction,
/// which holds the listing's lock.
pub(in crate::catalog) async fn note_published_revision(
    tx: &Tx,
    row: &listing::Model,
    revision: RevisionId,
    formats: &[String],
    now: OffsetDateTime,
) -> Result<()> {
    store::update_current_revision(tx, row, revision, Timestamp(now)).await?;
    store::replace_facet(tx, row.id, Facet::Format, formats).await
}

async fn lock_own(tx: &Tx, actor: &Actor, id: ListingId) -> Result<listing::Model> {
    store::lock_owned(tx, id, actor.org_id()).await?.ok_or_else(|| Error::not_found("listing"))
}

async fn require_known_audience(tx: &Tx, fields: &ListingIn) -> Result<()> {
    let known = store::known_organizations(tx.conn(), &fields.audience_organizations).await?;
    let mut check = Check::new();
    for (at, id) in fields.audience_organizations.iter().enumerate() {
        check.require(
            known.contains(id),
            format!("/audience_organizations/{at}"),
            format!("There is no organisation {id}."),
        );
    }
    check.done()
}

async fn searchable(tx: &Tx, actor: &Actor, fields: &ListingIn) -> Result<String> {
    let provider = store::organization_name(tx.conn(), actor.org_id()).await?;
    let texts = fields.title.texts().chain(fields.summary.texts());
    let words = fields.tags.iter().chain(&fields.use_cases).chain(&fields.place).map(String::as_str);
    Ok(search_text(texts.chain(words).chain([provider.as_str()])))
}
