//! Inviting, accepting, taking back.

use entity::{
    Timestamp,
    ids::{InvitationId, OrgId},
    invitation,
    states::Role,
};
use serde_json::json;
use time::Duration;

use super::store;
use crate::{
    auth::{Actor, Right, actor::SignedIn, secrets::random_hex},
    base::digest,
    db::Tx,
    error::{Check, Error, Problem, Result},
    limits,
    people::{
        accounts::{self, check_email, normalize_email},
        audit::{self, Author},
        members, organizations,
    },
    state::AppState,
};

/// What every invitation token starts with, so that a leaked one is recognised by scanners.
const TOKEN_PREFIX: &str = "torv_invite_";

/// Invites the holder of a mail address; returns the invitation and its token, which is not kept.
///
/// # Errors
/// `Forbidden` for an API key; `Invalid` for what is no mail address; `Conflict` when too many
/// invitations are open.
pub(super) async fn invite(
    app: &AppState,
    actor: &Actor,
    email: &str,
    role: Role,
) -> Result<(invitation::Model, String)> {
    let invited_by = actor.person()?;
    let email = normalize_email(email);
    let mut check = Check::new();
    check_email(&mut check, &email, "/email");
    check.done()?;
    let token = format!("{TOKEN_PREFIX}{}", random_hex::<32>()?);
    let now = app.clock.now();
    let row = invitation::Model {
        id: InvitationId::at(now),
        organization_id: actor.org_id(),
        email,
        role,
        token_hash: digest::sha256_hex(token.as_bytes()),
        invited_by,
        created_at: Timestamp(now),
        expires_at: Timestamp(now + Duration::days(limits::INVITATION_DAYS)),
        accepted_at: None,
        revoked_at: None,
    };
    let actor = actor.clone();
    let row = app
        .db
        .write("people.invite", move |tx| {
            let (row, actor) = (row.clone(), actor.clone());
            async move {
                organizations::lock(&tx, row.organization_id).await?;
                let open = store::count_open(&tx, row.organization_id, now).await?;
                if open >= limits::INVITATIONS_MAX {
                    return Err(Error::conflict(format!("{open} invitations are open, which is the most.")));
                }
                store::insert(&tx, row.clone()).await?;
                audit::record(&tx, &actor, "invitation.create", row.id, json!({"role": row.role}), now).await?;
                Ok((row, tx))
            }
        })
        .await?;
    Ok((row, token))
}

/// Takes an invitation back.
///
/// # Errors
/// `NotFound` when there is none that could still be accepted.
pub(super) async fn revoke_invitation(app: &AppState, actor: &Actor, id: InvitationId) -> Result<()> {
    let (actor, now) = (actor.clone(), app.clock.now());
    app.db
        .write("people.revoke_invitation", move |tx| {
            let actor = actor.clone();
            async move {
                if !store::revoke(&tx, actor.org_id(), id, now).await? {
                    return Err(Error::not_found("open invitation"));
                }
                audit::record(&tx, &actor, "invitation.revoke", id, json!({}), now).await?;
                Ok(((), tx))
            }
        })
        .await
}

/// Joins the organisation that invited the person.
///
/// A token of somebody else's invitation is unknown, so that a leaked one tells nothing.
///
/// # Errors
/// `NotFound`; `Gone` for an invitation that has expired, was taken back or was accepted before;
/// `Conflict` for somebody who is a member already, or an organisation that is full.
pub(super) async fn accept_invitation(app: &AppState, person: &SignedIn, token: &str) -> Result<(OrgId, Role)> {
    let hash = digest::sha256_hex(token.as_bytes());
    let (person, now) = (person.clone(), app.clock.now());
    app.db
        .write("people.accept_invitation", move |tx| {
            let (hash, person) = (hash.clone(), person.clone());
            async move {
                let row = find(&tx, &person, &hash).await?;
                organizations::lock(&tx, row.organization_id).await?;
                // An invitation ends with the right of whoever wrote it.
                let inviter = members::find(tx.conn(), row.organization_id, row.invited_by).await?;
                let inviter_may = inviter.is_some_and(|member| Right::Members.allowed_to(member.role));
                if !inviter_may || !store::accept(&tx, row.id, now).await? {
                    let detail = "This invitation has expired, was taken back or was accepted. Ask for another.";
                    return Err(Error::new(Problem::Gone, detail));
                }
                join(&tx, &person, &row, now).await?;
                let author = Author::from(&person).acting_for(row.organization_id);
                let detail = json!({"role": row.role, "account": person.account_id});
                audit::record(&tx, author, "invitation.accept", row.id, detail, now).await?;
                Ok(((row.organization_id, row.role), tx))
            }
        })
        .await
}

async fn find(tx: &Tx, person: &SignedIn, token_hash: &str) -> Result<invitation::Model> {
    let missing = || Error::not_found("invitation");
    let account = accounts::store::find(tx.conn(), person.account_id).await?.ok_or_else(missing)?;
    store::find_for(tx, token_hash, &account.email).await?.ok_or_else(missing)
}

async fn join(tx: &Tx, person: &SignedIn, row: &invitation::Model, now: time::OffsetDateTime) -> Result<()> {
    if members::count(tx, row.organization_id).await? >= limits::MEMBERS_MAX {
        return Err(Error::conflict(format!(
            "The organisation has {} members, which is the most.",
            limits::MEMBERS_MAX
        )));
    }
    if !members::insert(tx, row.organization_id, person.account_id, row.role, now).await? {
        return Err(Error::conflict("You are a member already. An owner can change your role."));
    }
    Ok(())
}
