//! In which time zone and coordinate system the values of a file are, as its provider states it.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

/// Adds the columns, and keeps what was published as it is.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261122_000033_file_references"
    }
}

/// Column and its definition, which both databases read.
const COLUMNS: [(&str, &str); 2] = [("time_zone", "varchar(64)"), ("crs", "varchar(16)")];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (column, definition) in COLUMNS {
            run(manager, &format!("ALTER TABLE file ADD COLUMN {column} {definition}")).await?;
        }
        for statement in triggers(manager) {
            run(manager, statement).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for statement in no_triggers(manager) {
            run(manager, statement).await?;
        }
        for (column, _) in COLUMNS.into_iter().rev() {
            run(manager, &format!("ALTER TABLE file DROP COLUMN {column}")).await?;
        }
        Ok(())
    }
}

/// What renditions were made by stays.
fn triggers(manager: &SchemaManager<'_>) -> &'static [&'static str] {
    match manager.get_database_backend() {
        DbBackend::Postgres => &[
            "CREATE FUNCTION torv_file_reference_stays() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF EXISTS (SELECT 1 FROM revision WHERE id = OLD.revision_id AND state = 'published') \
             THEN RAISE EXCEPTION 'what is stated of a published file stays'; END IF; RETURN NEW; END $$",
            "CREATE TRIGGER file_reference_stays BEFORE UPDATE OF time_zone, crs ON file \
             FOR EACH ROW EXECUTE FUNCTION torv_file_reference_stays()",
        ],
        _ => &["CREATE TRIGGER file_reference_stays BEFORE UPDATE OF time_zone, crs ON file \
             WHEN EXISTS (SELECT 1 FROM revision WHERE id = OLD.revision_id AND state = 'published') \
             BEGIN SELECT RAISE(ABORT, 'what is stated of a published file stays'); END"],
    }
}

fn no_triggers(manager: &SchemaManager<'_>) -> &'static [&'static str] {
    match manager.get_database_backend() {
        DbBackend::Postgres => {
            &["DROP TRIGGER file_reference_stays ON file", "DROP FUNCTION torv_file_reference_stays()"]
        }
        _ => &["DROP TRIGGER file_reference_stays"],
    }
}

async fn run(manager: &SchemaManager<'_>, statement: &str) -> Result<(), DbErr> {
    manager.get_connection().execute_unprepared(statement).await.map(|_| ())
}
