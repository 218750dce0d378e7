//! Changing roles and leaving.

use entity::{
    ids::{AccountId, OrgId},
    membership,
    states::Role,
};
use serde_json::json;

use super::store;
use crate::{
    auth::{Actor, Right, actor::ActingOrg},
    db::Tx,
    error::{Error, Result},
    people::{audit, organizations},
    state::AppState,
};

/// The actor that a member is when acting for an organisation, for callers inside the process.
///
/// # Errors
/// `NotFound` for somebody who is no member.
pub async fn act_as(app: &AppState, account: AccountId, org: OrgId, request_id: &str) -> Result<Actor> {
    let missing = || Error::not_found("member");
    let member = store::find(app.db.read(), org, account).await?.ok_or_else(missing)?;
    let row = organizations::find(app.db.read(), org).await?.ok_or_else(missing)?;
    let organization = ActingOrg {
        id: row.id,
        may_provide: row.may_provide,
        may_buy: row.may_buy,
        may_operate: row.may_operate,
        provider_kind: row.provider_kind,
        country: row.country,
    };
    let rights = Right::of(member.role);
    Ok(Actor { account_id: Some(account), api_key_id: None, organization, rights, request_id: request_id.to_owned() })
}

/// Gives a member another role.
///
/// # Errors
/// `NotFound` for somebody who is no member; `Conflict` for the last owner.
pub(super) async fn change_role(app: &AppState, actor: &Actor, member: AccountId, role: Role) -> Result<()> {
    let (actor, now) = (actor.clone(), app.clock.now());
    app.db
        .write("people.change_role", move |tx| {
            let actor = actor.clone();
            async move {
                let before = lock_member(&tx, actor.org_id(), member).await?;
                if before.role != role {
                    keep_an_owner(&tx, &before).await?;
                    store::set_role(&tx, actor.org_id(), member, role).await?;
                    let detail = json!({"from": before.role, "to": role});
                    audit::record(&tx, &actor, "member.change_role", member, detail, now).await?;
                }
                Ok(((), tx))
            }
        })
        .await
}

/// Removes a member; everybody may remove themselves. What the member's API keys may do ends with
/// the membership.
///
/// # Errors
/// `Forbidden` for somebody who may not remove others; `NotFound` for somebody who is no member;
/// `Conflict` for the last owner.
pub(super) async fn remove_member(app: &AppState, actor: &Actor, member: AccountId) -> Result<()> {
    if actor.account_id != Some(member) {
        actor.require(Right::Members)?;
    }
    let (actor, now) = (actor.clone(), app.clock.now());
    app.db
        .write("people.remove_member", move |tx| {
            let actor = actor.clone();
            async move {
                let before = lock_member(&tx, actor.org_id(), member).await?;
                keep_an_owner(&tx, &before).await?;
                store::delete(&tx, actor.org_id(), member).await?;
                audit::record(&tx, &actor, "member.remove", member, json!({"role": before.role}), now).await?;
                Ok(((), tx))
            }
        })
        .await
}

/// Locks the organisation first, so that two owners can't remove each other at the same moment.
async fn lock_member(tx: &Tx, org: OrgId, member: AccountId) -> Result<membership::Model> {
    organizations::lock(tx, org).await?;
    store::find(tx.conn(), org, member).await?.ok_or_else(|| Error::not_found("member"))
}

async fn keep_an_owner(tx: &Tx, member: &membership::Model) -> Result<()> {
    if member.role == Role::Owner && store::count_owners(tx, member.organization_id).await? < 2 {
        return Err(Error::conflict("This is the last owner. Make somebody else an owner first."));
    }
    Ok(())
}
