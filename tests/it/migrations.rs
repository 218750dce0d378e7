//! The schema's history, walked by the real binary: up, all the way down, and up again.

use std::collections::BTreeSet;

use migration::MigratorTrait as _;
use sea_orm::{ConnectionTrait as _, Statement};

use crate::support::{Backend, Home};

/// Tables, columns, constraints, indexes, triggers and functions, a line each. The record of what was
/// migrated is no part of it.
const SQLITE_SCHEMA: &str = "SELECT type || ' ' || name || ': ' || COALESCE(sql, '') AS line FROM sqlite_master \
     WHERE tbl_name <> 'seaql_migrations' AND name <> 'sqlite_sequence' AND tbl_name NOT LIKE 'sqlite_stat%'";
const POSTGRES_SCHEMA: &str = "\
    SELECT 'column ' || table_name || '.' || column_name || ' ' || ordinal_position || ' ' || data_type || ' ' \
        || is_nullable || ' ' || COALESCE(column_default, '') AS line \
        FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'seaql_migrations' \
    UNION ALL SELECT 'index ' || indexdef FROM pg_indexes \
        WHERE schemaname = 'public' AND tablename <> 'seaql_migrations' \
    UNION ALL SELECT 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) \
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conrelid <> 0 \
        AND conrelid <> 'seaql_migrations'::regclass \
    UNION ALL SELECT 'trigger ' || pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal \
    UNION ALL SELECT 'function ' || pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace \
    UNION ALL SELECT 'type ' || typname FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype = 'e'";

async fn schema(home: &Home) -> BTreeSet<String> {
    let conn = home.connect().await;
    let sql = match home.backend {
        Backend::Sqlite => SQLITE_SCHEMA,
        Backend::Postgres => POSTGRES_SCHEMA,
    };
    let rows = conn.query_all_raw(Statement::from_string(conn.get_database_backend(), sql)).await.unwrap();
    let lines = rows.iter().map(|row| row.try_get("", "line").unwrap()).collect();
    conn.close().await.unwrap();
    lines
}

async fn walk(home: &Home) {
    let said = home.torv(&["migrate"]).well();
    assert_eq!(said.lines().count(), 1, "{said}");
    let newest = schema(home).await;
    assert!(newest.len() > 100, "{newest:?}");
    let all = migration::Migrator::migrations().len();
    for step in 1..=all {
        home.torv(&["migrate", "--down", "1"]).well();
        if step == all {
            assert_eq!(schema(home).await, BTreeSet::new());
        }
    }
    home.torv(&["migrate"]).well();
    assert_eq!(schema(home).await, newest, "up, down one by one, and up");
    home.torv(&["migrate", "--down", &all.to_string()]).well();
    assert_eq!(schema(home).await, BTreeSet::new());
    home.torv(&["migrate"]).well();
    home.torv(&["migrate"]).well();
    assert_eq!(schema(home).await, newest, "up, all down at once, and up twice");
}

#[tokio::test]
async fn up_down_and_up_again_is_the_same_schema_on_sqlite() {
    walk(&Home::empty(Backend::Sqlite).await.unwrap()).await;
}

#[tokio::test]
async fn up_down_and_up_again_is_the_same_schema_on_postgres() {
    let Some(home) = Home::empty(Backend::Postgres).await else { return };
    walk(&home).await;
}
