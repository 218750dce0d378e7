//! A mail about notices, on its way to a member.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{AccountId, MailId, OrgId},
    states::MailState,
    timestamp::Timestamp,
};

/// A mail about notices, on its way to a member.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "mail")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: MailId,
    pub organization_id: OrgId,
    /// Whose address it goes to, as that is when it is sent.
    pub account_id: AccountId,
    /// The notice it tells of; of a digest, the last one.
    pub cursor: i64,
    pub is_digest: bool,
    pub subject: String,
    #[sea_orm(column_type = "Text")]
    pub body: String,
    pub state: MailState,
    pub attempts: i32,
    /// When it is tried; pushed ahead by whoever tries it, so that nobody else does meanwhile.
    pub next_try_at: Option<Timestamp>,
    pub last_error: Option<String>,
    pub created_at: Timestamp,
    pub done_at: Option<Timestamp>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
