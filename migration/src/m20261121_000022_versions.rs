//! Versions of revisions, what each promises, and what the database refuses to lose.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

use crate::build::unique;

/// Adds the columns, the table and the triggers.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261121_000022_versions"
    }
}

/// Table, column and its definition, which both databases read.
const COLUMNS: [(&str, &str, &str); 6] = [
    ("revision", "major", "integer"),
    ("revision", "minor", "integer"),
    ("revision", "patch", "integer"),
    ("revision", "reaches_older_at", "bigint"),
    // What was published before there were versions was delivered at once, and stays so.
    ("revision", "gives_notice", "boolean NOT NULL DEFAULT FALSE"),
    ("grants", "accepted_major", "integer"),
];

const UNVERSIONED: &str = "CREATE INDEX idx_revision_unversioned ON revision (listing_id, number) \
    WHERE major IS NULL AND state = 'published'";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column, definition) in COLUMNS {
            run(manager, &format!("ALTER TABLE {table} ADD COLUMN {column} {definition}")).await?;
        }
        run(manager, UNVERSIONED).await?;
        revision_version(manager).await?;
        for statement in triggers(manager) {
            run(manager, statement).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for statement in no_triggers(manager) {
            run(manager, statement).await?;
        }
        manager.drop_table(Table::drop().table("revision_version").to_owned()).await?;
        run(manager, "DROP INDEX idx_revision_unversioned").await?;
        for (table, column, _) in COLUMNS.into_iter().rev() {
            run(manager, &format!("ALTER TABLE {table} DROP COLUMN {column}")).await?;
        }
        Ok(())
    }
}

async fn revision_version(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("revision_version")
        .col(ColumnDef::new("revision_id").uuid().not_null())
        .col(ColumnDef::new("listing_id").uuid().not_null())
        .col(ColumnDef::new("number").integer().not_null())
        .col(ColumnDef::new("contract").json_binary().not_null())
        .col(ColumnDef::new("changes").json_binary().not_null())
        .col(ColumnDef::new("assigned_at").big_integer().not_null())
        .primary_key(Index::create().col("revision_id"))
        .foreign_key(ForeignKey::create().from("revision_version", "revision_id").to("revision", "id"));
    manager.create_table(table).await?;
    manager.create_index(unique("revision_version", &["listing_id", "number"])).await
}

/// A version is written once; a published revision and its files stay.
fn triggers(manager: &SchemaManager<'_>) -> &'static [&'static str] {
    match manager.get_database_backend() {
        DbBackend::Postgres => &[
            "CREATE TRIGGER revision_version_append_only BEFORE UPDATE OR DELETE ON revision_version \
             FOR EACH ROW EXECUTE FUNCTION torv_append_only()",
            "CREATE FUNCTION torv_revision_stays() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             RAISE EXCEPTION 'a published revision stays'; END $$",
            "CREATE FUNCTION torv_file_stays() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF EXISTS (SELECT 1 FROM revision WHERE id = OLD.revision_id AND state = 'published') \
             THEN RAISE EXCEPTION 'a file of a published revision stays'; END IF; RETURN OLD; END $$",
            "CREATE TRIGGER revision_stays BEFORE DELETE ON revision \
             FOR EACH ROW WHEN (OLD.state = 'published') EXECUTE FUNCTION torv_revision_stays()",
            "CREATE TRIGGER file_stays BEFORE DELETE ON file FOR EACH ROW EXECUTE FUNCTION torv_file_stays()",
        ],
        _ => &[
            "CREATE TRIGGER revision_version_no_update BEFORE UPDATE ON revision_version \
             BEGIN SELECT RAISE(ABORT, 'revision_version is append-only'); END",
            "CREATE TRIGGER revision_version_no_delete BEFORE DELETE ON revision_version \
             BEGIN SELECT RAISE(ABORT, 'revision_version is append-only'); END",
            "CREATE TRIGGER revision_stays BEFORE DELETE ON revision WHEN OLD.state = 'published' \
             BEGIN SELECT RAISE(ABORT, 'a published revision stays'); END",
            "CREATE TRIGGER file_stays BEFORE DELETE ON file \
             WHEN EXISTS (SELECT 1 FROM revision WHERE id = OLD.revision_id AND state = 'published') \
             BEGIN SELECT RAISE(ABORT, 'a file of a published revision stays'); END",
        ],
    }
}

fn no_triggers(manager: &SchemaManager<'_>) -> &'static [&'static str] {
    match manager.get_database_backend() {
        DbBackend::Postgres => &[
            "DROP TRIGGER file_stays ON file",
            "DROP TRIGGER revision_stays ON revision",
            "DROP FUNCTION torv_file_stays()",
            "DROP FUNCTION torv_revision_stays()",
            "DROP TRIGGER revision_version_append_only ON revision_version",
        ],
        _ => &[
            "DROP TRIGGER file_stays",
            "DROP TRIGGER revision_stays",
            "DROP TRIGGER revision_version_no_delete",
            "DROP TRIGGER revision_version_no_update",
        ],
    }
}

async fn run(manager: &SchemaManager<'_>, statement: &str) -> Result<(), DbErr> {
    manager.get_connection().execute_unprepared(statement).await.map(|_| ())
}
