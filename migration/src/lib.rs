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
mod m20261121_000011_money;
mod m20261121_000012_plans;
mod m20261121_000013_subscriptions;
mod m20261121_000014_after_sale;
mod m20261121_000015_proof;
mod m20261121_000016_documents;
mod m20261121_000017_bank;
mod m20261121_000018_payout_accounts;
mod m20261121_000019_automatic_payouts;
mod m20261121_000020_bank_transfers;
mod m20261121_000021_after_the_sale;
mod m20261121_000022_versions;
mod m20261121_000023_row_changes;
mod m20261121_000024_notices;
mod m20261121_000025_webhooks;
mod m20261121_000026_mail;
mod m20261121_000027_renditions;
mod m20261121_000028_storage;
mod m20261121_000029_verifications;
mod m20261121_000030_share_tokens;
mod m20261122_000031_slices;
mod m20261122_000032_trials;
mod m20261122_000033_file_references;

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
            Box::new(Whole(m20261121_000011_money::Migration)),
            Box::new(Whole(m20261121_000012_plans::Migration)),
            Box::new(Whole(m20261121_000013_subscriptions::Migration)),
            Box::new(Whole(m20261121_000014_after_sale::Migration)),
            Box::new(Whole(m20261121_000015_proof::Migration)),
            Box::new(Whole(m20261121_000016_documents::Migration)),
            Box::new(Whole(m20261121_000017_bank::Migration)),
            Box::new(Whole(m20261121_000018_payout_accounts::Migration)),
            Box::new(Whole(m20261121_000019_automatic_payouts::Migration)),
            Box::new(Whole(m20261121_000020_bank_transfers::Migration)),
            Box::new(Whole(m20261121_000021_after_the_sale::Migration)),
            Box::new(Whole(m20261121_000022_versions::Migration)),
            Box::new(Whole(m20261121_000023_row_changes::Migration)),
            Box::new(Whole(m20261121_000024_notices::Migration)),
            Box::new(Whole(m20261121_000025_webhooks::Migration)),
            Box::new(Whole(m20261121_000026_mail::Migration)),
            Box::new(Whole(m20261121_000027_renditions::Migration)),
            Box::new(Whole(m20261121_000028_storage::Migration)),
            Box::new(Whole(m20261121_000029_verifications::Migration)),
            Box::new(Whole(m20261121_000030_share_tokens::Migration)),
            Box::new(Whole(m20261122_000031_slices::Migration)),
            Box::new(Whole(m20261122_000032_trials::Migration)),
            Box::new(Whole(m20261122_000033_file_references::Migration)),
        ]
    }
}
