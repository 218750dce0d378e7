//! Indexes by which bank lines find what they name: a payout by our id, an order by its document or purchase order.

use sea_orm_migration::prelude::*;

use crate::build::index;

/// Adds what matching bank lines needs.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261121_000020_bank_transfers"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_index(index("bank_payout", &["payout_id"])).await?;
        manager.create_index(index("document", &["number"])).await?;
        let open = "CREATE INDEX idx_orders_purchase_order ON orders (purchase_order) WHERE purchase_order IS NOT NULL";
        manager.get_connection().execute_unprepared(open).await.map(drop)
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, table) in [
            ("idx_orders_purchase_order", "orders"),
            ("idx_document_number", "document"),
            ("idx_bank_payout_payout_id", "bank_payout"),
        ] {
            manager.drop_index(Index::drop().name(name).table(table).to_owned()).await?;
        }
        Ok(())
    }
}
