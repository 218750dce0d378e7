//! Writing and reading the log.

use std::fmt::Display;

use entity::{
    Timestamp, audit_event,
    ids::{AccountId, ApiKeyId, AuditId, OrgId},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, QueryTrait as _,
};
use time::OffsetDateTime;

use crate::{
    auth::{Actor, actor::SignedIn},
    db::Tx,
    error::Result,
};

/// Who did something, as the log keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    account_id: Option<AccountId>,
    api_key_id: Option<ApiKeyId>,
    organization_id: Option<OrgId>,
    request_id: String,
}

impl Author {
    /// A person, whatever organisation they act for.
    pub fn person(account_id: AccountId, request_id: &str) -> Self {
        Self {
            account_id: Some(account_id),
            api_key_id: None,
            organization_id: None,
            request_id: request_id.to_owned(),
        }
    }

    /// Somebody who may run the program on the exchange's own machine.
    pub fn command_line() -> Self {
        Self { account_id: None, api_key_id: None, organization_id: None, request_id: "command line".to_owned() }
    }

    /// The same, acting for an organisation, whose owners see the line.
    #[must_use]
    pub fn acting_for(self, organization_id: OrgId) -> Self {
        Self { organization_id: Some(organization_id), ..self }
    }
}

impl From<&Actor> for Author {
    fn from(actor: &Actor) -> Self {
        Self {
            account_id: actor.account_id,
            api_key_id: actor.api_key_id,
            organization_id: Some(actor.org_id()),
            request_id: actor.request_id.clone(),
        }
    }
}

impl From<&SignedIn> for Author {
    fn from(person: &SignedIn) -> Self {
        Self::person(person.account_id, &person.request_id)
    }
}

/// Appends one line in the transaction of what it tells about.
///
/// `action` is a verb phrase (`listing.publish`), `resource` a public id; `detail` holds no secrets
/// and no mail addresses.
///
/// # Errors
/// Those of the database.
pub async fn record(
    tx: &Tx,
    author: impl Into<Author>,
    action: &'static str,
    resource: impl Display,
    detail: serde_json::Value,
    now: OffsetDateTime,
) -> Result<()> {
    let event = Event { author: author.into(), action, resource: resource.to_string(), detail, at: now };
    record_all(tx, vec![event]).await
}

/// One line, before it is written.
#[derive(Debug, Clone)]
pub struct Event {
    /// Who did it.
    pub author: Author,
    /// A verb phrase, `order.place`.
    pub action: &'static str,
    /// A public id.
    pub resource: String,
    /// No secrets and no mail addresses.
    pub detail: serde_json::Value,
    /// When.
    pub at: OffsetDateTime,
}

/// Appends several lines in one statement; otherwise as [`record`].
///
/// # Errors
/// Those of the database.
pub async fn record_all(tx: &Tx, events: Vec<Event>) -> Result<()> {
    let rows = events.into_iter().map(|event| audit_event::ActiveModel {
        id: Set(AuditId::at(event.at)),
        at: Set(Timestamp(event.at)),
        account_id: Set(event.author.account_id),
        api_key_id: Set(event.author.api_key_id),
        organization_id: Set(event.author.organization_id),
        action: Set(event.action.to_owned()),
        resource: Set(event.resource),
        request_id: Set(Some(event.author.request_id)),
        detail: Set(event.detail),
    });
    audit_event::Entity::insert_many(rows).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// Which lines to read.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    /// Lines of this organisation: written by it, or about it.
    pub organization: Option<OrgId>,
    pub resource: Option<String>,
    pub action: Option<String>,
    /// Lines before this one.
    pub before: Option<AuditId>,
}

/// Reads lines, the newest first. Who may read which is decided by the caller in `wanted`.
pub(super) async fn list(conn: &impl ConnectionTrait, wanted: Wanted, rows: u64) -> Result<Vec<audit_event::Model>> {
    use audit_event::Column;
    let of = |id: OrgId| Condition::any().add(Column::OrganizationId.eq(id)).add(Column::Resource.eq(id.to_string()));
    Ok(audit_event::Entity::find()
        .apply_if(wanted.organization, |query, id| query.filter(of(id)))
        .apply_if(wanted.resource, |query, resource| query.filter(Column::Resource.eq(resource)))
        .apply_if(wanted.action, |query, action| query.filter(Column::Action.eq(action)))
        .apply_if(wanted.before, |query, before| query.filter(Column::Id.lt(before)))
        .order_by_desc(Column::Id)
        .limit(rows)
        .all(conn)
        .await?)
}
