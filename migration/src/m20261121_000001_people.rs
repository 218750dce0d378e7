//! Tables of people.

use sea_orm_migration::prelude::*;

use crate::build::index;

/// Creates the tables of people.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261121_000001_people"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        account(manager).await?;
        organization(manager).await?;
        membership(manager).await?;
        invitation(manager).await?;
        session(manager).await?;
        refresh_token(manager).await?;
        api_key(manager).await?;
        signing_key(manager).await?;
        audit_event(manager).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            "audit_event",
            "signing_key",
            "api_key",
            "refresh_token",
            "session",
            "invitation",
            "membership",
            "organization",
            "account",
        ] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

async fn account(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("account")
        .col(ColumnDef::new("id").uuid().not_null())
        .col(ColumnDef::new("email").string_len(254).not_null().unique_key())
        .col(ColumnDef::new("display_name").string_len(120).not_null())
        .col(ColumnDef::new("locale").string_len(16).not_null())
        .col(ColumnDef::new("password_hash").string_len(255).not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("password_changed_at").big_integer().not_null())
        .col(ColumnDef::new("disabled_at").big_integer().null())
        .primary_key(Index::create().col("id"));
    manager.create_table(table).await?;
    Ok(())
}

async fn organization(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("organization")
        .col(ColumnDef::new("id").uuid().not_null())
        .col(ColumnDef::new("slug").string_len(80).not_null().unique_key())
        .col(ColumnDef::new("name").string_len(200).not_null())
        .col(ColumnDef::new("country").string_len(2).not_null())
        .col(ColumnDef::new("provider_kind").string_len(32).null())
        .col(ColumnDef::new("may_provide").boolean().not_null())
        .col(ColumnDef::new("may_buy").boolean().not_null())
        .col(ColumnDef::new("may_operate").boolean().not_null())
        .col(ColumnDef::new("processor_account").string_len(64).null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .primary_key(Index::create().col("id"));
    manager.create_table(table).await?;
    Ok(())
}

async fn membership(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("membership")
        .col(ColumnDef::new("organization_id").uuid().not_null())
        .col(ColumnDef::new("account_id").uuid().not_null())
        .col(ColumnDef::new("role").string_len(32).not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .primary_key(Index::create().col("organization_id").col("account_id"))
        .foreign_key(ForeignKey::create().from("membership", "organization_id").to("organization", "id"))
        .foreign_key(ForeignKey::create().from("membership", "account_id").to("account", "id"));
    manager.create_table(table).await?;
    manager.create_index(index("membership", &["account_id"])).await?;
    Ok(())
}

async fn invitation(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("invitation")
        .col(ColumnDef::new("id").uuid().not_null())
        .col(ColumnDef::new("organization_id").uuid().not_null())
        .col(ColumnDef::new("email").string_len(254).not_null())
        .col(ColumnDef::new("role").string_len(32).not_null())
        .col(ColumnDef::new("token_hash").string_len(64).not_null().unique_key())
        .col(ColumnDef::new("invited_by").uuid().not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("expires_at").big_integer().not_null())
        .col(ColumnDef::new("accepted_at").big_integer().null())
        .col(ColumnDef::new("revoked_at").big_integer().null())
        .primary_key(Index::create().col("id"))
        .foreign_key(ForeignKey::create().from("invitation", "organization_id").to("organization", "id"))
        .foreign_key(ForeignKey::create().from("invitation", "invited_by").to("account", "id"));
    manager.create_table(table).await?;
    manager.create_index(index("invitation", &["organization_id"])).await?;
    Ok(())
}

async fn session(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("session")
        .col(ColumnDef::new("id").uuid().not_null())
        .col(ColumnDef::new("account_id").uuid().not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("ended_at").big_integer().null())
        .col(ColumnDef::new("end_reason").string_len(32).null())
        .primary_key(Index::create().col("id"))
        .foreign_key(ForeignKey::create().from("session", "account_id").to("account", "id"));
    manager.create_table(table).await?;
    manager.create_index(index("session", &["account_id"])).await?;
    Ok(())
}

async fn refresh_token(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("refresh_token")
        .col(ColumnDef::new("token_hash").string_len(64).not_null())
        .col(ColumnDef::new("session_id").uuid().not_null())
        .col(ColumnDef::new("issued_at").big_integer().not_null())
        .col(ColumnDef::new("expires_at").big_integer().not_null())
        .col(ColumnDef::new("used_at").big_integer().null())
        .primary_key(Index::create().col("token_hash"))
        .foreign_key(ForeignKey::create().from("refresh_token", "session_id").to("session", "id"));
    manager.create_table(table).await?;
    manager.create_index(index("refresh_token", &["session_id"])).await?;
    Ok(())
}

async fn api_key(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("api_key")
        .col(ColumnDef::new("id").uuid().not_null())
        .col(ColumnDef::new("organization_id").uuid().not_null())
        .col(ColumnDef::new("created_by").uuid().not_null())
        .col(ColumnDef::new("name").string_len(120).not_null())
        .col(ColumnDef::new("secret_hash").string_len(64).not_null().unique_key())
        .col(ColumnDef::new("scopes").json_binary().not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("expires_at").big_integer().not_null())
        .col(ColumnDef::new("revoked_at").big_integer().null())
        .col(ColumnDef::new("last_used_at").big_integer().null())
        .primary_key(Index::create().col("id"))
        .foreign_key(ForeignKey::create().from("api_key", "organization_id").to("organization", "id"))
        .foreign_key(ForeignKey::create().from("api_key", "created_by").to("account", "id"));
    manager.create_table(table).await?;
    manager.create_index(index("api_key", &["organization_id"])).await?;
    Ok(())
}

async fn signing_key(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("signing_key")
        .col(ColumnDef::new("kid").string_len(64).not_null())
        .col(ColumnDef::new("sealed_private_key").blob().not_null())
        .col(ColumnDef::new("public_key").blob().not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("signs_until").big_integer().not_null())
        .col(ColumnDef::new("verifies_until").big_integer().not_null())
        .primary_key(Index::create().col("kid"));
    manager.create_table(table).await?;
    Ok(())
}

async fn audit_event(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("audit_event")
        .col(ColumnDef::new("id").uuid().not_null())
        .col(ColumnDef::new("at").big_integer().not_null())
        .col(ColumnDef::new("account_id").uuid().null())
        .col(ColumnDef::new("api_key_id").uuid().null())
        .col(ColumnDef::new("organization_id").uuid().null())
        .col(ColumnDef::new("action").string_len(64).not_null())
        .col(ColumnDef::new("resource").string_len(80).not_null())
        .col(ColumnDef::new("request_id").string_len(64).null())
        .col(ColumnDef::new("detail").json_binary().not_null())
        .primary_key(Index::create().col("id"));
    manager.create_table(table).await?;
    manager.create_index(index("audit_event", &["at"])).await?;
    manager.create_index(index("audit_event", &["organization_id"])).await?;
    manager.create_index(index("audit_event", &["resource"])).await?;
    Ok(())
}
