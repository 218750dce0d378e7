//! Tables of the bank side of reconciliation: accounts, imports, statement lines and what explains them,
//! payout reports, exceptions, and closed months.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

use crate::build::index;

/// Creates the tables of the bank side.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261121_000017_bank"
    }
}

/// The tables, the oldest first.
const TABLES: [&str; 12] = [
    "bank_account",
    "bank_import",
    "bank_statement",
    "bank_line",
    "bank_payout",
    "bank_match",
    "payout_report_line",
    "reconciliation_exception",
    "exception_note",
    "exception_resolution",
    "month_closing",
    "exception_detection",
];
/// Tables of them whose rows are written once.
const APPEND_ONLY: [&str; 3] = ["bank_match", "exception_note", "month_closing"];
/// Indexes of only the rows that wait for somebody or for a job.
const WORKLISTS: [(&str, &str); 5] = [
    ("bank_import_to_book", "bank_import (id) WHERE state = 'imported' AND booked_at IS NULL"),
    ("bank_line_open", "bank_line (booked_on) WHERE state IN ('undecided', 'suspense')"),
    ("bank_payout_open", "bank_payout (currency, amount_minor) WHERE settled_at IS NULL AND returned_at IS NULL"),
    ("exception_open", "reconciliation_exception (currency, occurred_at) WHERE state <> 'resolved'"),
    ("processor_payout_line", "processor_transaction (id) WHERE kind IN ('payout', 'payout_failure')"),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        bank_account(manager).await?;
        bank_import(manager).await?;
        bank_statement(manager).await?;
        bank_line(manager).await?;
        bank_payout(manager).await?;
        bank_match(manager).await?;
        payout_report_line(manager).await?;
        reconciliation_exception(manager).await?;
        exception_note(manager).await?;
        exception_resolution(manager).await?;
        month_closing(manager).await?;
        exception_detection(manager).await?;
        for (name, of) in WORKLISTS {
            run(manager, &format!("CREATE INDEX idx_{name} ON {of}")).await?;
        }
        append_only(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, "DROP INDEX idx_processor_payout_line").await?;
        for table in TABLES.into_iter().rev() {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

async fn run(manager: &SchemaManager<'_>, statement: &str) -> Result<(), DbErr> {
    manager.get_connection().execute_unprepared(statement).await.map(|_| ())
}

/// The triggers that refuse to change or delete a row; they go with their tables.
async fn append_only(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for table in APPEND_ONLY {
        if manager.get_database_backend() == DbBackend::Postgres {
            for (name, when) in [("append_only", "UPDATE OR DELETE"), ("no_truncate", "TRUNCATE")] {
                let each = if when == "TRUNCATE" { "STATEMENT" } else { "ROW" };
                let trigger = format!(
                    "CREATE TRIGGER {table}_{name} BEFORE {when} ON {table} FOR EACH {each} EXECUTE FUNCTION torv_append_only()"
                );
                run(manager, &trigger).await?;
            }
        } else {
            for verb in ["update", "delete"] {
                let trigger = format!(
                    "CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table} \
                     BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                );
                run(manager, &trigger).await?;
            }
        }
    }
    Ok(())
}

fn text(name: &'static str, chars_max: u32) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.string_len(chars_max);
    column
}

fn number(name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.big_integer();
    column
}

async fn bank_account(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("bank_account")
        .col(text("name", 40).not_null())
        .col(text("number", 40).not_null())
        .col(text("currency", 3).not_null())
        .col(ColumnDef::new("csv_profile").json_binary().null())
        .col(number("created_at").not_null())
        .col(ColumnDef::new("created_by").uuid().null())
        .col(ColumnDef::new("importing").uuid().null())
        .primary_key(Index::create().col("name"))
        .index(Index::create().unique().name("unq_bank_account_number_currency").col("number").col("currency"));
    manager.create_table(table).await
}

async fn bank_import(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("bank_import")
        .col(ColumnDef::new("id").uuid().not_null())
        .col(text("kind", 32).not_null())
        .col(text("format", 32).not_null())
        .col(text("sha256", 64).not_null())
        .col(number("size_bytes").not_null())
        .col(text("state", 32).not_null())
        .col(number("lease_until").not_null())
        .col(number("lines_read").not_null())
        .col(number("lines_new").not_null())
        .col(number("lines_known").not_null())
        .col(number("lines_pending").not_null())
        .col(number("created_at").not_null())
        .col(ColumnDef::new("created_by").uuid().null())
        .col(number("finished_at").null())
        .col(number("booked_at").null())
        .primary_key(Index::create().col("id"));
    manager.create_table(table).await?;
    manager.create_index(index("bank_import", &["sha256"])).await?;
    manager.create_index(index("bank_import", &["state"])).await
}

async fn bank_statement(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("bank_statement")
        .col(ColumnDef::new("import_id").uuid().not_null())
        .col(ColumnDef::new("seq").integer().not_null())
        .col(text("account", 40).not_null())
        .col(text("statement_id", 120).null())
        .col(number("from_on").null())
        .col(number("until_on").null())
        .col(number("opening_minor").null())
        .col(number("closing_minor").null())
        .col(number("line_count").not_null())
        .primary_key(Index::create().col("import_id").col("seq"))
        .foreign_key(ForeignKey::create().from("bank_statement", "account").to("bank_account", "name"));
    manager.create_table(table).await?;
    manager.create_index(index("bank_statement", &["account", "from_on"])).await
}

async fn bank_line(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("bank_line")
        .col(ColumnDef::new("id").uuid().not_null())
        .col(ColumnDef::new("import_id").uuid().not_null())
        .col(text("account", 40).not_null())
        .col(text("key", 52).not_null())
        .col(text("currency", 3).not_null())
        .col(number("booked_on").not_null())
        .col(number("value_on").null())
        .col(number("amount_minor").not_null())
        .col(ColumnDef::new("is_reversal").boolean().not_null())
        .col(text("bank_reference", 120).null())
        .col(text("end_to_end_id", 120).null())
        .col(text("creditor_reference", 120).null())
        .col(text("transaction_code", 60).null())
        .col(text("counterparty_name", 140).null())
        .col(text("counterparty_account", 60).null())
        .col(text("remittance", 500).null())
        .col(text("state", 32).not_null())
        .primary_key(Index::create().col("id"));
    manager.create_table(table).await?;
    manager.create_index(index("bank_line", &["import_id", "state"])).await?;
    manager.create_index(index("bank_line", &["account", "booked_on"])).await
}

async fn bank_payout(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("bank_payout")
        .col(text("id", 120).not_null())
        .col(ColumnDef::new("payout_id").uuid().null())
        .col(text("reference", 120).not_null())
        .col(text("trace_id", 120).null())
        .col(text("currency", 3).not_null())
        .col(number("amount_minor").not_null())
        .col(number("sent_at").not_null())
        .col(number("expected_on").null())
        .col(number("settled_minor").not_null())
        .col(number("settled_at").null())
        .col(number("returned_at").null())
        .col(text("returned_by", 120).null())
        .primary_key(Index::create().col("id"));
    manager.create_table(table).await?;
    manager.create_index(index("bank_payout", &["reference"])).await?;
    manager.create_index(index("bank_payout", &["trace_id"])).await?;
    manager.create_index(index("bank_payout", &["returned_by"])).await
}

async fn bank_match(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("bank_match")
        .col(ColumnDef::new("line_id").uuid().not_null())
        .col(ColumnDef::new("seq").integer().not_null())
        .col(text("rule", 32).not_null())
        .col(text("subject", 32).not_null())
        .col(text("bank_payout_id", 120).null())
        .col(ColumnDef::new("order_id").uuid().null())
        .col(number("amount_minor").not_null())
        .col(number("settled_minor").not_null())
        .col(number("created_at").not_null())
        .primary_key(Index::create().col("line_id").col("seq"));
    manager.create_table(table).await?;
    manager.create_index(index("bank_match", &["bank_payout_id"])).await?;
    manager.create_index(index("bank_match", &["order_id"])).await
}

async fn payout_report_line(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("payout_report_line")
        .col(text("id", 120).not_null())
        .col(ColumnDef::new("import_id").uuid().not_null())
        .col(text("payout_ref", 120).null())
        .col(number("expected_on").null())
        .col(text("trace_id", 120).null())
        .col(text("currency", 3).not_null())
        .col(number("gross_minor").not_null())
        .col(number("fee_minor").not_null())
        .col(number("net_minor").not_null())
        .col(text("category", 60).not_null())
        .col(text("source_id", 120).null())
        .col(number("created_at").null())
        .primary_key(Index::create().col("id"));
    manager.create_table(table).await?;
    manager.create_index(index("payout_report_line", &["import_id"])).await?;
    manager.create_index(index("payout_report_line", &["payout_ref"])).await
}

async fn reconciliation_exception(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("reconciliation_exception")
        .col(ColumnDef::new("id").uuid().not_null())
        .col(text("class", 32).not_null())
        .col(text("subject", 200).not_null())
        .col(text("currency", 3).not_null())
        .col(number("amount_minor").not_null())
        .col(ColumnDef::new("order_id").uuid().null())
        .col(ColumnDef::new("payout_id").uuid().null())
        .col(ColumnDef::new("line_id").uuid().null())
        .col(text("transaction_id", 120).null())
        .col(text("bank_payout_id", 120).null())
        .col(text("account", 80).null())
        .col(text("sentence", 400).not_null())
        .col(text("state", 32).not_null())
        .col(ColumnDef::new("owner").uuid().null())
        .col(number("occurred_at").not_null())
        .col(number("opened_at").not_null())
        .col(number("resolved_at").null())
        .col(ColumnDef::new("resolved_by").uuid().null())
        .col(text("resolution", 32).null())
        .primary_key(Index::create().col("id"))
        .index(Index::create().unique().name("unq_reconciliation_exception").col("class").col("subject"));
    manager.create_table(table).await?;
    manager.create_index(index("reconciliation_exception", &["line_id"])).await?;
    manager.create_index(index("reconciliation_exception", &["occurred_at"])).await
}

async fn exception_note(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("exception_note")
        .col(ColumnDef::new("exception_id").uuid().not_null())
        .col(ColumnDef::new("seq").integer().not_null())
        .col(ColumnDef::new("author").uuid().null())
        .col(number("created_at").not_null())
        .col(text("text", 2_000).not_null())
        .primary_key(Index::create().col("exception_id").col("seq"))
        .foreign_key(ForeignKey::create().from("exception_note", "exception_id").to("reconciliation_exception", "id"));
    manager.create_table(table).await
}

async fn exception_resolution(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("exception_resolution")
        .col(ColumnDef::new("exception_id").uuid().not_null())
        .col(ColumnDef::new("seq").integer().not_null())
        .col(text("kind", 32).not_null())
        .col(text("state", 32).not_null())
        .col(text("reason", 2_000).not_null())
        .col(text("debit", 32).null())
        .col(text("credit", 32).null())
        .col(number("amount_minor").not_null())
        .col(text("currency", 3).not_null())
        .col(text("link", 120).null())
        .col(ColumnDef::new("asked_by").uuid().null())
        .col(number("asked_at").not_null())
        .col(ColumnDef::new("decided_by").uuid().null())
        .col(number("decided_at").null())
        .primary_key(Index::create().col("exception_id").col("seq"))
        .foreign_key(
            ForeignKey::create().from("exception_resolution", "exception_id").to("reconciliation_exception", "id"),
        );
    manager.create_table(table).await
}

async fn month_closing(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("month_closing")
        .col(text("month", 7).not_null())
        .col(text("currency", 3).not_null())
        .col(ColumnDef::new("sums").json_binary().not_null())
        .col(text("sums_sha256", 64).not_null())
        .col(number("seal_number").not_null())
        .col(text("seal_head", 64).not_null())
        .col(ColumnDef::new("closed_by").uuid().null())
        .col(number("closed_at").not_null())
        .primary_key(Index::create().col("month").col("currency"));
    manager.create_table(table).await
}

/// One row: until when everything was looked through for exceptions.
async fn exception_detection(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("exception_detection")
        .col(text("name", 32).not_null())
        .col(number("ran_at").not_null())
        .primary_key(Index::create().col("name"));
    manager.create_table(table).await?;
    run(manager, "INSERT INTO exception_detection (name, ran_at) VALUES ('all', 0)").await
}
