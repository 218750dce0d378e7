//! Tables of what happens after a sale: refunds, disputes, shares taken back, debts of providers.

use sea_orm_migration::prelude::*;

use crate::build::{index, unique};

/// Creates the tables of refunds, disputes, reversals and debts.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261121_000014_after_sale"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        refund(manager).await?;
        order_reduction(manager).await?;
        dispute(manager).await?;
        reversal(manager).await?;
        netting(manager).await?;
        write_off(manager).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("DROP INDEX idx_processor_dispute_lines").await?;
        for table in ["write_off", "netting", "reversal", "dispute", "order_reduction", "refund"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

/// An index of only the rows that wait for a job, so that the job stays quick while history grows.
async fn worklist(manager: &SchemaManager<'_>, name: &str, of: &str) -> Result<(), DbErr> {
    manager.get_connection().execute_unprepared(&format!("CREATE INDEX idx_{name} ON {of}")).await?;
    Ok(())
}

async fn refund(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("refund")
        .col(ColumnDef::new("id").uuid().not_null())
        .col(ColumnDef::new("order_id").uuid().not_null())
        .col(ColumnDef::new("payment_id").uuid().not_null())
        .col(ColumnDef::new("buyer_id").uuid().not_null())
        .col(ColumnDef::new("origin").string_len(32).not_null())
        .col(ColumnDef::new("state").string_len(32).not_null())
        .col(ColumnDef::new("currency").string_len(3).not_null())
        .col(ColumnDef::new("amount_minor").big_integer().not_null())
        .col(ColumnDef::new("reason").string_len(2000).not_null())
        .col(ColumnDef::new("ends_access").boolean().not_null())
        .col(ColumnDef::new("created_by").uuid().null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("answer_due_at").big_integer().null())
        .col(ColumnDef::new("answered_at").big_integer().null())
        .col(ColumnDef::new("answer_note").string_len(2000).null())
        .col(ColumnDef::new("appealed_at").big_integer().null())
        .col(ColumnDef::new("appeal_note").string_len(2000).null())
        .col(ColumnDef::new("decided_at").big_integer().null())
        .col(ColumnDef::new("decided_by").uuid().null())
        .col(ColumnDef::new("decision_note").string_len(2000).null())
        .col(ColumnDef::new("attempt").integer().not_null())
        .col(ColumnDef::new("next_try_at").big_integer().null())
        .col(ColumnDef::new("processor_ref").string_len(120).null())
        .col(ColumnDef::new("failure_text").string_len(400).null())
        .col(ColumnDef::new("paid_at").big_integer().null())
        .primary_key(Index::create().col("id"))
        .foreign_key(ForeignKey::create().from("refund", "order_id").to("orders", "id"))
        .foreign_key(ForeignKey::create().from("refund", "payment_id").to("payment", "id"));
    manager.create_table(table).await?;
    manager.create_index(index("refund", &["order_id"])).await?;
    manager.create_index(index("refund", &["buyer_id"])).await?;
    manager.create_index(index("refund", &["state", "answer_due_at"])).await?;
    worklist(manager, "refund_to_submit", "refund (next_try_at) WHERE next_try_at IS NOT NULL").await?;
    Ok(())
}

async fn order_reduction(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("order_reduction")
        .col(ColumnDef::new("source_id").uuid().not_null())
        .col(ColumnDef::new("line_no").integer().not_null())
        .col(ColumnDef::new("kind").string_len(32).not_null())
        .col(ColumnDef::new("order_id").uuid().not_null())
        .col(ColumnDef::new("provider_id").uuid().not_null())
        .col(ColumnDef::new("provider_minor").big_integer().not_null())
        .col(ColumnDef::new("operator_minor").big_integer().not_null())
        .col(ColumnDef::new("tax_minor").big_integer().not_null())
        .col(ColumnDef::new("debt_minor").big_integer().not_null())
        .col(ColumnDef::new("undone_debt_minor").big_integer().not_null())
        .col(ColumnDef::new("recovery_asked_at").big_integer().null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("undone_at").big_integer().null())
        .primary_key(Index::create().col("source_id").col("line_no"))
        .foreign_key(ForeignKey::create().from("order_reduction", "order_id").to("orders", "id"));
    manager.create_table(table).await?;
    manager.create_index(index("order_reduction", &["order_id"])).await?;
    worklist(
        manager,
        "debts_to_recover",
        "order_reduction (created_at) WHERE debt_minor > 0 AND recovery_asked_at IS NULL",
    )
    .await?;
    Ok(())
}

async fn dispute(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("dispute")
        .col(ColumnDef::new("id").uuid().not_null())
        .col(ColumnDef::new("processor").string_len(32).not_null())
        .col(ColumnDef::new("processor_ref").string_len(120).not_null())
        .col(ColumnDef::new("order_id").uuid().not_null())
        .col(ColumnDef::new("payment_id").uuid().not_null())
        .col(ColumnDef::new("state").string_len(32).not_null())
        .col(ColumnDef::new("currency").string_len(3).not_null())
        .col(ColumnDef::new("amount_minor").big_integer().not_null())
        .col(ColumnDef::new("reason").string_len(400).not_null())
        .col(ColumnDef::new("evidence_due_at").big_integer().null())
        .col(ColumnDef::new("statement").string_len(20000).null())
        .col(ColumnDef::new("evidence_submitted_at").big_integer().null())
        .col(ColumnDef::new("accepted_at").big_integer().null())
        .col(ColumnDef::new("opened_at").big_integer().not_null())
        .col(ColumnDef::new("held_at").big_integer().null())
        .col(ColumnDef::new("closed_at").big_integer().null())
        .col(ColumnDef::new("next_poll_at").big_integer().null())
        .primary_key(Index::create().col("id"))
        .foreign_key(ForeignKey::create().from("dispute", "order_id").to("orders", "id"))
        .foreign_key(ForeignKey::create().from("dispute", "payment_id").to("payment", "id"));
    manager.create_table(table).await?;
    manager.create_index(unique("dispute", &["processor", "processor_ref"])).await?;
    manager.create_index(index("dispute", &["order_id"])).await?;
    manager.create_index(index("dispute", &["state"])).await?;
    worklist(manager, "dispute_to_poll", "dispute (next_poll_at) WHERE next_poll_at IS NOT NULL").await?;
    worklist(manager, "processor_dispute_lines", "processor_transaction (source_ref) WHERE kind = 'dispute'").await?;
    Ok(())
}

async fn reversal(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("reversal")
        .col(ColumnDef::new("id").uuid().not_null())
        .col(ColumnDef::new("order_id").uuid().not_null())
        .col(ColumnDef::new("organization_id").uuid().not_null())
        .col(ColumnDef::new("payout_id").uuid().not_null())
        .col(ColumnDef::new("state").string_len(32).not_null())
        .col(ColumnDef::new("currency").string_len(3).not_null())
        .col(ColumnDef::new("amount_minor").big_integer().not_null())
        .col(ColumnDef::new("attempt").integer().not_null())
        .col(ColumnDef::new("next_try_at").big_integer().null())
        .col(ColumnDef::new("processor_ref").string_len(120).null())
        .col(ColumnDef::new("failure_text").string_len(400).null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("done_at").big_integer().null())
        .primary_key(Index::create().col("id"))
        .foreign_key(ForeignKey::create().from("reversal", "order_id").to("orders", "id"))
        .foreign_key(ForeignKey::create().from("reversal", "payout_id").to("payout", "id"));
    manager.create_table(table).await?;
    manager.create_index(index("reversal", &["order_id"])).await?;
    manager.create_index(index("reversal", &["payout_id"])).await?;
    worklist(manager, "reversal_to_submit", "reversal (next_try_at) WHERE next_try_at IS NOT NULL").await?;
    Ok(())
}

async fn netting(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("netting")
        .col(ColumnDef::new("run_id").uuid().not_null())
        .col(ColumnDef::new("from_order_id").uuid().not_null())
        .col(ColumnDef::new("debt_order_id").uuid().not_null())
        .col(ColumnDef::new("organization_id").uuid().not_null())
        .col(ColumnDef::new("currency").string_len(3).not_null())
        .col(ColumnDef::new("amount_minor").big_integer().not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .primary_key(Index::create().col("run_id").col("from_order_id").col("debt_order_id").col("organization_id"))
        .foreign_key(ForeignKey::create().from("netting", "from_order_id").to("orders", "id"))
        .foreign_key(ForeignKey::create().from("netting", "debt_order_id").to("orders", "id"));
    manager.create_table(table).await?;
    manager.create_index(index("netting", &["from_order_id"])).await?;
    manager.create_index(index("netting", &["debt_order_id"])).await?;
    Ok(())
}

async fn write_off(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("write_off")
        .col(ColumnDef::new("id").uuid().not_null())
        .col(ColumnDef::new("organization_id").uuid().not_null())
        .col(ColumnDef::new("order_id").uuid().not_null())
        .col(ColumnDef::new("state").string_len(32).not_null())
        .col(ColumnDef::new("currency").string_len(3).not_null())
        .col(ColumnDef::new("amount_minor").big_integer().not_null())
        .col(ColumnDef::new("reason").string_len(2000).not_null())
        .col(ColumnDef::new("asked_by").uuid().not_null())
        .col(ColumnDef::new("asked_at").big_integer().not_null())
        .col(ColumnDef::new("decided_by").uuid().null())
        .col(ColumnDef::new("decided_at").big_integer().null())
        .col(ColumnDef::new("decision_note").string_len(2000).null())
        .primary_key(Index::create().col("id"))
        .foreign_key(ForeignKey::create().from("write_off", "order_id").to("orders", "id"));
    manager.create_table(table).await?;
    manager.create_index(index("write_off", &["order_id"])).await?;
    manager.create_index(index("write_off", &["organization_id"])).await?;
    Ok(())
}
