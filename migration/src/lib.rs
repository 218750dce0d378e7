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

/// Brings a database to the newest schema, or back.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261121_000001_people::Migration),
            Box::new(m20261121_000002_catalog::Migration),
            Box::new(m20261121_000003_terms::Migration),
            Box::new(m20261121_000004_ledger::Migration),
            Box::new(m20261121_000005_trade::Migration),
            Box::new(m20261121_000006_settlement::Migration),
            Box::new(m20261121_000007_delivery::Migration),
            Box::new(m20261121_000008_plumbing::Migration),
            Box::new(m20261121_000009_append_only::Migration),
            Box::new(m20261121_000010_login_failures::Migration),
        ]
    }
}
