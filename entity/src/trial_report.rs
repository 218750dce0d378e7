//! Answers to questions about a table before paying for it; never changed.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{FileId, ListingId, OrgId, TrialReportId},
    timestamp::Timestamp,
};

/// Answers to questions about a table before paying for it; never changed.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "trial_report")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TrialReportId,
    pub listing_id: ListingId,
    /// Who asked.
    pub organization_id: OrgId,
    pub file_id: FileId,
    pub file_name: String,
    pub revision_number: i32,
    pub question_count: i32,
    /// Of them, those that were new for this organisation.
    pub new_question_count: i32,
    /// The signed file, byte for byte.
    #[sea_orm(column_type = "Text")]
    pub document: String,
    pub created_at: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
