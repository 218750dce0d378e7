//! The schema's history: frozen once landed, names as strings, independent of the entities.

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::*;

mod build;
mod m20261121_000001_people;
mod m20261121_000002_catalog;
mod m20261121_000003_terms;
mod m20261121_000004_ledger;
mod m20261121_000005_trade;
mod m20261121_000006_settlement;
mod m20261121_000007_delivery;
mod m20261121_000008_plumbing;
mod m20261121_000009_append_only;
mod m20261121_000010_login_failures;

/// A migration that happens whole or not at all, on every database: a process that is killed in the
/// middle of one must leave a database that the next start can go on with.
struct Whole<M>(M);

#[async_trait::async_trait]
impl<M: MigrationTrait> MigrationTrait for Whole<M> {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        self.0.up(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        self.0.down(manager).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

impl<M: MigrationName> MigrationName for Whole<M> {
    fn name(&self) -> &str {
        self.0.name()
    }
}

/// Brings a database to the newest schema, or back.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(Whole(m20261121_000001_people::Migration)),
            Box::new(Whole(m20261121_000002_catalog::Migration)),
            Box::new(Whole(m20261121_000003_terms::Migration)),
            Box::new(Whole(m20261121_000004_ledger::Migration)),
            Box::new(Whole(m20261121_000005_trade::Migration)),
            Box::new(Whole(m20261121_000006_settlement::Migration)),
            Box::new(Whole(m20261121_000007_delivery::Migration)),
            Box::new(Whole(m20261121_000008_plumbing::Migration)),
            Box::new(Whole(m20261121_000009_append_only::Migration)),
            Box::new(Whole(m20261121_000010_login_failures::Migration)),
        ]
    }
}
