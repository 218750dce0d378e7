//! Questions before paying: what may be asked, what was asked, and the signed answers.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

use crate::build::index;

/// Tables whose rows are written once.
const APPEND_ONLY: [&str; 2] = ["trial_report", "trial_question"];

/// Creates the tables.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261122_000032_trials"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        trial_policy(manager).await?;
        trial_report(manager).await?;
        trial_question(manager).await?;
        for table in APPEND_ONLY {
            for statement in append_only(manager.get_database_backend(), table) {
                manager.get_connection().execute_unprepared(&statement).await?;
            }
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Triggers go with their tables.
        for table in ["trial_question", "trial_report", "trial_policy"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

fn append_only(backend: DbBackend, table: &str) -> Vec<String> {
    if backend == DbBackend::Postgres {
        return vec![
            format!(
                "CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} \
                 FOR EACH ROW EXECUTE FUNCTION torv_append_only()"
            ),
            format!(
                "CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} \
                 FOR EACH STATEMENT EXECUTE FUNCTION torv_append_only()"
            ),
        ];
    }
    let trigger = |verb: &str| {
        let name = verb.to_lowercase();
        format!(
            "CREATE TRIGGER {table}_no_{name} BEFORE {verb} ON {table} \
             BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )
    };
    vec![trigger("UPDATE"), trigger("DELETE")]
}

async fn trial_policy(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("trial_policy")
        .col(ColumnDef::new("listing_id").uuid().not_null())
        .col(ColumnDef::new("enabled").boolean().not_null())
        .col(ColumnDef::new("questions_max").integer().not_null())
        .col(ColumnDef::new("listing_questions_max").integer().not_null())
        .col(ColumnDef::new("epsilon_milli").integer().not_null())
        .col(ColumnDef::new("min_group_size").integer().not_null())
        .col(ColumnDef::new("kinds").json_binary().not_null())
        .col(ColumnDef::new("columns").json_binary().not_null())
        .col(ColumnDef::new("updated_at").big_integer().not_null())
        .primary_key(Index::create().col("listing_id"))
        .foreign_key(ForeignKey::create().from("trial_policy", "listing_id").to("listing", "id"));
    manager.create_table(table).await
}

async fn trial_report(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("trial_report")
        .col(ColumnDef::new("id").uuid().not_null())
        .col(ColumnDef::new("listing_id").uuid().not_null())
        .col(ColumnDef::new("organization_id").uuid().not_null())
        .col(ColumnDef::new("file_id").uuid().not_null())
        .col(ColumnDef::new("file_name").string_len(255).not_null())
        .col(ColumnDef::new("revision_number").integer().not_null())
        .col(ColumnDef::new("question_count").integer().not_null())
        .col(ColumnDef::new("new_question_count").integer().not_null())
        .col(ColumnDef::new("document").text().not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .primary_key(Index::create().col("id"))
        .foreign_key(ForeignKey::create().from("trial_report", "listing_id").to("listing", "id"));
    manager.create_table(table).await?;
    manager.create_index(index("trial_report", &["listing_id", "organization_id", "id"])).await
}

async fn trial_question(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("trial_question")
        .col(ColumnDef::new("report_id").uuid().not_null())
        .col(ColumnDef::new("position").integer().not_null())
        .col(ColumnDef::new("listing_id").uuid().not_null())
        .col(ColumnDef::new("organization_id").uuid().not_null())
        .col(ColumnDef::new("kind").string_len(32).not_null())
        .col(ColumnDef::new("fingerprint").string_len(64).not_null())
        .col(ColumnDef::new("cost_milli").integer().not_null())
        .col(ColumnDef::new("listing_cost_milli").integer().not_null())
        .col(ColumnDef::new("asked_at").big_integer().not_null())
        .primary_key(Index::create().col("report_id").col("position"))
        .foreign_key(ForeignKey::create().from("trial_question", "report_id").to("trial_report", "id"));
    manager.create_table(table).await?;
    manager.create_index(index("trial_question", &["listing_id", "asked_at"])).await?;
    manager.create_index(index("trial_question", &["listing_id", "fingerprint"])).await
}
