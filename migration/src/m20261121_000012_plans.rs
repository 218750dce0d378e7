//! Coupons with their redemptions, and the parts of bundles.

use sea_orm_migration::prelude::*;

use crate::build::{index, unique};

/// Creates the tables.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261121_000012_plans"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        coupon(manager).await?;
        coupon_redemption(manager).await?;
        bundle_part(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["bundle_part", "coupon_redemption", "coupon"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

async fn coupon(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("coupon")
        .col(ColumnDef::new("id").uuid().not_null())
        .col(ColumnDef::new("organization_id").uuid().not_null())
        .col(ColumnDef::new("code").string_len(40).not_null())
        .col(ColumnDef::new("off_bps").integer().null())
        .col(ColumnDef::new("off_minor").big_integer().null())
        .col(ColumnDef::new("currency").string_len(3).null())
        .col(ColumnDef::new("scope").string_len(32).not_null())
        .col(ColumnDef::new("targets").json_binary().not_null())
        .col(ColumnDef::new("valid_from").big_integer().not_null())
        .col(ColumnDef::new("valid_until").big_integer().null())
        .col(ColumnDef::new("redemptions_max").integer().null())
        .col(ColumnDef::new("per_buyer_max").integer().null())
        .col(ColumnDef::new("redeemed").integer().not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("ended_at").big_integer().null())
        .primary_key(Index::create().col("id"))
        .foreign_key(ForeignKey::create().from("coupon", "organization_id").to("organization", "id"));
    manager.create_table(table).await?;
    manager.create_index(unique("coupon", &["organization_id", "code"])).await
}

async fn coupon_redemption(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("coupon_redemption")
        .col(ColumnDef::new("order_id").uuid().not_null())
        .col(ColumnDef::new("coupon_id").uuid().not_null())
        .col(ColumnDef::new("buyer_id").uuid().not_null())
        .col(ColumnDef::new("off_minor").big_integer().not_null())
        .col(ColumnDef::new("redeemed_at").big_integer().not_null())
        .col(ColumnDef::new("given_back_at").big_integer().null())
        .primary_key(Index::create().col("order_id"))
        .foreign_key(ForeignKey::create().from("coupon_redemption", "order_id").to("orders", "id"))
        .foreign_key(ForeignKey::create().from("coupon_redemption", "coupon_id").to("coupon", "id"));
    manager.create_table(table).await?;
    manager.create_index(index("coupon_redemption", &["coupon_id", "buyer_id"])).await
}

async fn bundle_part(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("bundle_part")
        .col(ColumnDef::new("offer_id").uuid().not_null())
        .col(ColumnDef::new("line_no").integer().not_null())
        .col(ColumnDef::new("listing_id").uuid().not_null())
        .col(ColumnDef::new("provider_id").uuid().not_null())
        .col(ColumnDef::new("weight").integer().not_null())
        .col(ColumnDef::new("state").string_len(32).not_null())
        .col(ColumnDef::new("decided_at").big_integer().null())
        .primary_key(Index::create().col("offer_id").col("line_no"))
        .foreign_key(ForeignKey::create().from("bundle_part", "offer_id").to("offer", "id"))
        .foreign_key(ForeignKey::create().from("bundle_part", "listing_id").to("listing", "id"));
    manager.create_table(table).await?;
    manager.create_index(unique("bundle_part", &["offer_id", "listing_id"])).await?;
    manager.create_index(index("bundle_part", &["provider_id", "state"])).await
}
