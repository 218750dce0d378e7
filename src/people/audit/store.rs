//! Writing the log.

use std::fmt::Display;

use entity::{Timestamp, audit_event, ids::AuditId};
use sea_orm::{ActiveValue::Set, EntityTrait as _};
use time::OffsetDateTime;

use crate::{auth::Actor, db::Tx, error::Result};

/// Appends one line in the transaction of what it tells about.
///
/// `action` is a verb phrase (`listing.publish`), `resource` a public id; `detail` holds no secrets.
///
/// # Errors
/// Those of the database.
pub async fn record(
    tx: &Tx,
    actor: &Actor,
    action: &'static str,
    resource: impl Display,
    detail: serde_json::Value,
    now: OffsetDateTime,
) -> Result<()> {
    let row = audit_event::ActiveModel {
        id: Set(AuditId::at(now)),
        at: Set(Timestamp(now)),
        account_id: Set(actor.account_id),
        api_key_id: Set(actor.api_key_id),
        organization_id: Set(Some(actor.org_id())),
        action: Set(action.to_owned()),
        resource: Set(resource.to_string()),
        request_id: Set(Some(actor.request_id.clone())),
        detail: Set(detail),
    };
    audit_event::Entity::insert(row).exec_without_returning(tx.conn()).await?;
    Ok(())
}
