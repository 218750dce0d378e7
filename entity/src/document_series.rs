//! The next number of each series of documents.

use sea_orm::entity::prelude::*;

use crate::{ids::OrgId, states::DocumentKind};

/// The next number of a series: one for each issuer, kind and year.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "document_series")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub issuer_id: OrgId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: DocumentKind,
    #[sea_orm(primary_key, auto_increment = false)]
    pub year: i32,
    pub next_number: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
