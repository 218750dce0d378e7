//! A question of a trial report and what it cost; never changed. What was asked is in the report alone.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{ListingId, OrgId, TrialReportId},
    timestamp::Timestamp,
};

/// A question of a trial report and what it cost; never changed. What was asked is in the report alone.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "trial_question")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub report_id: TrialReportId,
    /// Counted from 0.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i32,
    pub listing_id: ListingId,
    pub organization_id: OrgId,
    pub kind: String,
    /// A keyed digest: equal for questions that get the same answer.
    pub fingerprint: String,
    /// ε in thousandths that it took of the organisation's budget; 0 for one it had asked before.
    pub cost_milli: i32,
    /// That it took of the budget of all together; 0 for one that anybody had asked before.
    pub listing_cost_milli: i32,
    pub asked_at: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
