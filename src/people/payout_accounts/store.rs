//! Providers' accounts in the database.

use entity::{Timestamp, ids::OrgId, organization, payout_account};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, JoinType, Order, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
    sea_query::{Expr, ExprTrait as _, OnConflict},
};
use time::OffsetDateTime;

use crate::{db::Tx, error::Result, ports::payments::AccountStatus};

/// What the processor last said of an organisation's account.
pub(super) async fn find(conn: &impl ConnectionTrait, owner: OrgId) -> Result<Option<payout_account::Model>> {
    Ok(payout_account::Entity::find_by_id(owner).one(conn).await?)
}

/// An organisation, whose account may not be opened yet.
pub(super) async fn organization(conn: &impl ConnectionTrait, id: OrgId) -> Result<Option<organization::Model>> {
    Ok(organization::Entity::find_by_id(id).one(conn).await?)
}

/// Organisations whose account was last asked about before: of one that shares can move to, `active_before`, of one that
/// waits for something, `waiting_before`. Those that were never asked about come first.
pub(super) async fn stale(
    conn: &impl ConnectionTrait,
    active_before: OffsetDateTime,
    waiting_before: OffsetDateTime,
    limit: u64,
) -> Result<Vec<(OrgId, String)>> {
    use payout_account::Column::{CheckedAt, TransfersActive};
    let relation: sea_orm::RelationDef = organization::Entity::belongs_to(payout_account::Entity)
        .from(organization::Column::Id)
        .to(payout_account::Column::OrganizationId)
        .into();
    let waits = TransfersActive.eq(false).and(CheckedAt.lte(Timestamp(waiting_before)));
    let due = Condition::any().add(CheckedAt.is_null()).add(CheckedAt.lte(Timestamp(active_before))).add(waits);
    Ok(organization::Entity::find()
        .select_only()
        .column(organization::Column::Id)
        .column(organization::Column::ProcessorAccount)
        .join(JoinType::LeftJoin, relation)
        .filter(organization::Column::ProcessorAccount.is_not_null())
        .filter(due)
        .order_by(CheckedAt.is_null(), Order::Desc)
        .order_by_asc(CheckedAt)
        .order_by_asc(organization::Column::Id)
        .limit(limit)
        .into_tuple()
        .all(conn)
        .await?)
}

/// Keeps the account that the processor opened for an organisation, the first one for ever.
pub(super) async fn keep_account(tx: &Tx, id: OrgId, account: &str) -> Result<()> {
    organization::Entity::update_many()
        .col_expr(organization::Column::ProcessorAccount, Expr::value(Some(account.to_owned())))
        .filter(organization::Column::Id.eq(id))
        .filter(organization::Column::ProcessorAccount.is_null())
        .exec(tx.conn())
        .await?;
    Ok(())
}

/// Whose account that is.
pub(super) async fn owner_of(conn: &impl ConnectionTrait, account: &str) -> Result<Option<OrgId>> {
    Ok(organization::Entity::find()
        .select_only()
        .column(organization::Column::Id)
        .filter(organization::Column::ProcessorAccount.eq(account))
        .into_tuple()
        .one(conn)
        .await?)
}

/// Notes what the processor says, unless something newer is noted.
pub(super) async fn note(tx: &Tx, owner: OrgId, status: &AccountStatus, at: OffsetDateTime) -> Result<()> {
    let row = payout_account::ActiveModel {
        organization_id: Set(owner),
        account_ref: Set(status.account_ref.clone()),
        transfers_active: Set(status.transfers_active),
        payouts_active: Set(status.payouts_active),
        requirements_due: Set(serde_json::to_value(&status.requirements_due)?),
        disabled_reason: Set(status.disabled_reason.as_ref().map(|text| text.chars().take(400).collect())),
        checked_at: Set(Timestamp(at)),
    };
    let mut replace = OnConflict::column(payout_account::Column::OrganizationId);
    replace
        .update_columns([
            payout_account::Column::AccountRef,
            payout_account::Column::TransfersActive,
            payout_account::Column::PayoutsActive,
            payout_account::Column::RequirementsDue,
            payout_account::Column::DisabledReason,
            payout_account::Column::CheckedAt,
        ])
        .action_and_where(Expr::cust("payout_account.checked_at <= excluded.checked_at"));
    payout_account::Entity::insert(row).on_conflict(replace).exec_without_returning(tx.conn()).await?;
    Ok(())
}
