//! Endpoints in the database.

use entity::{
    Timestamp,
    ids::{ListingId, OrgId, WebhookEndpointId},
    states::WebhookDisabled,
    webhook_endpoint,
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, EntityTrait as _, FromQueryResult, IntoActiveModel as _,
    PaginatorTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, QueryTrait as _, Select, Value,
    sea_query::{Expr, ExprTrait as _},
};

use crate::{
    db::{
        Tx,
        bulk::{Kind, List},
    },
    error::{Error, Result},
};

fn existing() -> Select<webhook_endpoint::Entity> {
    webhook_endpoint::Entity::find().filter(webhook_endpoint::Column::DeletedAt.is_null())
}

/// An endpoint of `org`.
pub(in crate::notify) async fn find(
    conn: &impl ConnectionTrait,
    org: OrgId,
    id: WebhookEndpointId,
) -> Result<Option<webhook_endpoint::Model>> {
    let own = webhook_endpoint::Column::OrganizationId.eq(org);
    Ok(existing().filter(webhook_endpoint::Column::Id.eq(id)).filter(own).one(conn).await?)
}

/// As [`find`]; other changes to it wait for this transaction.
pub(in crate::notify) async fn lock(
    tx: &Tx,
    org: OrgId,
    id: WebhookEndpointId,
) -> Result<Option<webhook_endpoint::Model>> {
    let own = webhook_endpoint::Column::OrganizationId.eq(org);
    let found = existing().filter(webhook_endpoint::Column::Id.eq(id)).filter(own);
    Ok(found.lock_exclusive().one(tx.conn()).await?)
}

/// An endpoint that something is to be sent to, whoever owns it.
pub(in crate::notify) async fn find_to_send(
    conn: &impl ConnectionTrait,
    id: WebhookEndpointId,
) -> Result<Option<webhook_endpoint::Model>> {
    let enabled = webhook_endpoint::Column::DisabledReason.is_null();
    Ok(existing().filter(webhook_endpoint::Column::Id.eq(id)).filter(enabled).one(conn).await?)
}

/// As [`find_to_send`], of these endpoints; other changes to them wait for this transaction.
pub(in crate::notify) async fn lock_to_send(
    tx: &Tx,
    ids: &[WebhookEndpointId],
) -> Result<Vec<webhook_endpoint::Model>> {
    Ok(existing()
        .filter(webhook_endpoint::Column::Id.is_in(ids.iter().copied()))
        .filter(webhook_endpoint::Column::DisabledReason.is_null())
        .order_by_asc(webhook_endpoint::Column::Id)
        .lock_exclusive()
        .all(tx.conn())
        .await?)
}

/// The endpoints of `org`, by id, after `after`.
pub(super) async fn list(
    conn: &impl ConnectionTrait,
    org: OrgId,
    after: Option<WebhookEndpointId>,
    rows: usize,
) -> Result<Vec<webhook_endpoint::Model>> {
    Ok(existing()
        .filter(webhook_endpoint::Column::OrganizationId.eq(org))
        .apply_if(after, |query, after| query.filter(webhook_endpoint::Column::Id.gt(after)))
        .order_by_asc(webhook_endpoint::Column::Id)
        .limit(u64::try_from(rows).unwrap_or(u64::MAX))
        .all(conn)
        .await?)
}

pub(super) async fn count(tx: &Tx, org: OrgId) -> Result<u64> {
    Ok(existing().filter(webhook_endpoint::Column::OrganizationId.eq(org)).count(tx.conn()).await?)
}

pub(super) async fn insert(tx: &Tx, row: webhook_endpoint::Model) -> Result<()> {
    webhook_endpoint::Entity::insert(row.into_active_model()).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// Writes all of an endpoint that was locked.
pub(in crate::notify) async fn replace(tx: &Tx, row: webhook_endpoint::Model) -> Result<()> {
    webhook_endpoint::Entity::update(row.into_active_model().reset_all()).exec(tx.conn()).await?;
    Ok(())
}

/// Notes how an endpoint does: since when every attempt fails, and why it is switched off.
pub(in crate::notify) async fn note_health(
    tx: &Tx,
    id: WebhookEndpointId,
    failing_since: Option<Timestamp>,
    disabled: Option<WebhookDisabled>,
) -> Result<()> {
    let mut update = webhook_endpoint::Entity::update_many()
        .col_expr(webhook_endpoint::Column::FailingSince, Expr::value(failing_since))
        .filter(webhook_endpoint::Column::Id.eq(id));
    if let Some(reason) = disabled {
        update = update
            .col_expr(webhook_endpoint::Column::DisabledReason, Expr::value(Some(reason)))
            .col_expr(webhook_endpoint::Column::Version, Expr::col(webhook_endpoint::Column::Version).add(1));
    }
    update.exec(tx.conn()).await?;
    Ok(())
}

/// What an endpoint wants to be told.
#[derive(Debug, Clone, FromQueryResult)]
struct WantedRow {
    id: WebhookEndpointId,
    organization_id: OrgId,
    kinds: sea_orm::JsonValue,
    listing_ids: sea_orm::JsonValue,
}

/// What an endpoint wants to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::notify) struct Wants {
    pub endpoint: WebhookEndpointId,
    pub organization: OrgId,
    kinds: Vec<String>,
    listings: Vec<ListingId>,
}

impl Wants {
    /// What a stored endpoint wants.
    ///
    /// # Errors
    /// Only when the row is broken.
    pub(in crate::notify) fn of(row: &webhook_endpoint::Model) -> Result<Self> {
        Ok(Self {
            endpoint: row.id,
            organization: row.organization_id,
            kinds: serde_json::from_value(row.kinds.clone())?,
            listings: serde_json::from_value(row.listing_ids.clone())?,
        })
    }

    /// True when it wants to be told this.
    pub(in crate::notify) fn includes(&self, kind: &str, listing: Option<ListingId>) -> bool {
        let kind_ok = self.kinds.is_empty() || self.kinds.iter().any(|wanted| wanted == kind);
        let listing_ok = self.listings.is_empty() || listing.is_some_and(|listing| self.listings.contains(&listing));
        kind_ok && listing_ok
    }
}

/// What the endpoints of these organisations want to be told, but for those that are switched off.
pub(in crate::notify) async fn wanting(tx: &Tx, orgs: &[OrgId]) -> Result<Vec<Wants>> {
    if orgs.is_empty() {
        return Ok(Vec::new());
    }
    let ids = orgs.iter().map(|org| Value::from(org.0));
    let of_these = List::of(tx.conn().get_database_backend(), Kind::Uuid, ids)?.contains("organization_id");
    let rows: Vec<WantedRow> = existing()
        .select_only()
        .columns([
            webhook_endpoint::Column::Id,
            webhook_endpoint::Column::OrganizationId,
            webhook_endpoint::Column::Kinds,
            webhook_endpoint::Column::ListingIds,
        ])
        .filter(webhook_endpoint::Column::DisabledReason.is_null())
        .filter(of_these)
        .into_model()
        .all(tx.conn())
        .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Wants {
                endpoint: row.id,
                organization: row.organization_id,
                kinds: serde_json::from_value(row.kinds).map_err(Error::internal)?,
                listings: serde_json::from_value(row.listing_ids).map_err(Error::internal)?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;

    #[test]
    fn an_endpoint_is_told_what_it_wants() {
        let listing = ListingId::at(OffsetDateTime::UNIX_EPOCH);
        let (endpoint, organization) =
            (WebhookEndpointId::at(OffsetDateTime::UNIX_EPOCH), OrgId::at(OffsetDateTime::UNIX_EPOCH));
        let all = Wants { endpoint, organization, kinds: Vec::new(), listings: Vec::new() };
        assert!(all.includes("payout.paid", None) && all.includes("revision.published", Some(listing)));
        let narrow = Wants { kinds: vec!["revision.published".to_owned()], listings: vec![listing], ..all };
        assert!(narrow.includes("revision.published", Some(listing)));
        assert!(!narrow.includes("revision.published", Some(ListingId::at(OffsetDateTime::UNIX_EPOCH))));
        assert!(!narrow.includes("revision.published", None) && !narrow.includes("grant.ended", Some(listing)));
    }
}
