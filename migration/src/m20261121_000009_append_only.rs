//! What the database itself refuses: changing what is append-only, and booking what does not balance.
//!
//! An entry is written after its postings: the trigger on `ledger_entry` sees them all and checks
//! that they sum to zero per currency; the trigger on `posting` refuses lines for an entry that is
//! already there. So an entry can neither be unbalanced nor grow later.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

/// Tables whose rows are written once.
const APPEND_ONLY: [&str; 8] =
    ["ledger_entry", "posting", "seal", "sealed_entry", "fee_rule", "audit_event", "licence_document", "payout_item"];

/// Creates the triggers.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261121_000009_append_only"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let statements = match manager.get_database_backend() {
            DbBackend::Postgres => postgres_up(),
            _ => sqlite_up(),
        };
        for statement in statements {
            manager.get_connection().execute_unprepared(&statement).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let statements = match manager.get_database_backend() {
            DbBackend::Postgres => postgres_down(),
            _ => sqlite_down(),
        };
        for statement in statements {
            manager.get_connection().execute_unprepared(&statement).await?;
        }
        Ok(())
    }
}

fn sqlite_up() -> Vec<String> {
    let mut statements = Vec::new();
    for table in APPEND_ONLY {
        for verb in ["UPDATE", "DELETE"] {
            statements.push(format!(
                "CREATE TRIGGER {table}_no_{v} BEFORE {verb} ON {table} BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END",
                v = verb.to_lowercase()
            ));
        }
    }
    statements.push(
        "CREATE TRIGGER ledger_entry_balanced BEFORE INSERT ON ledger_entry BEGIN \
         SELECT RAISE(ABORT, 'entry does not balance') WHERE \
         (SELECT COUNT(*) FROM posting WHERE entry_id = NEW.id) < 2 \
         OR EXISTS (SELECT 1 FROM posting WHERE entry_id = NEW.id GROUP BY currency HAVING SUM(amount_minor) <> 0); END"
            .to_owned(),
    );
    statements.push(
        "CREATE TRIGGER posting_closed BEFORE INSERT ON posting BEGIN \
         SELECT RAISE(ABORT, 'entry is closed') WHERE EXISTS (SELECT 1 FROM ledger_entry WHERE id = NEW.entry_id); END"
            .to_owned(),
    );
    statements
}

fn sqlite_down() -> Vec<String> {
    let mut statements = vec![
        "DROP TRIGGER IF EXISTS posting_closed".to_owned(),
        "DROP TRIGGER IF EXISTS ledger_entry_balanced".to_owned(),
    ];
    for table in APPEND_ONLY {
        statements.push(format!("DROP TRIGGER IF EXISTS {table}_no_update"));
        statements.push(format!("DROP TRIGGER IF EXISTS {table}_no_delete"));
    }
    statements
}

fn postgres_up() -> Vec<String> {
    let mut statements = vec![
        "CREATE FUNCTION torv_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ \
         BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
            .to_owned(),
        "CREATE FUNCTION torv_entry_balanced() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF (SELECT COUNT(*) FROM posting WHERE entry_id = NEW.id) < 2 \
         OR EXISTS (SELECT 1 FROM posting WHERE entry_id = NEW.id GROUP BY currency HAVING SUM(amount_minor) <> 0) \
         THEN RAISE EXCEPTION 'entry does not balance'; END IF; RETURN NEW; END $$"
            .to_owned(),
        "CREATE FUNCTION torv_posting_closed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF EXISTS (SELECT 1 FROM fresh JOIN ledger_entry ON ledger_entry.id = fresh.entry_id) \
         THEN RAISE EXCEPTION 'entry is closed'; END IF; RETURN NULL; END $$"
            .to_owned(),
    ];
    for table in APPEND_ONLY {
        statements.push(format!(
            "CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} \
             FOR EACH ROW EXECUTE FUNCTION torv_append_only()"
        ));
        statements.push(format!(
            "CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} \
             FOR EACH STATEMENT EXECUTE FUNCTION torv_append_only()"
        ));
    }
    statements.push(
        "CREATE TRIGGER ledger_entry_balanced BEFORE INSERT ON ledger_entry \
         FOR EACH ROW EXECUTE FUNCTION torv_entry_balanced()"
            .to_owned(),
    );
    statements.push(
        "CREATE TRIGGER posting_closed AFTER INSERT ON posting REFERENCING NEW TABLE AS fresh \
         FOR EACH STATEMENT EXECUTE FUNCTION torv_posting_closed()"
            .to_owned(),
    );
    statements
}

fn postgres_down() -> Vec<String> {
    let mut statements = vec![
        "DROP TRIGGER IF EXISTS posting_closed ON posting".to_owned(),
        "DROP TRIGGER IF EXISTS ledger_entry_balanced ON ledger_entry".to_owned(),
    ];
    for table in APPEND_ONLY {
        statements.push(format!("DROP TRIGGER IF EXISTS {table}_append_only ON {table}"));
        statements.push(format!("DROP TRIGGER IF EXISTS {table}_no_truncate ON {table}"));
    }
    for function in ["torv_append_only", "torv_entry_balanced", "torv_posting_closed"] {
        statements.push(format!("DROP FUNCTION IF EXISTS {function}()"));
    }
    statements
}
