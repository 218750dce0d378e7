//! Versions of revisions: what they are, whom they reach when, and what a holder keeps.

mod continuity;
mod feed;
mod notice;
mod numbers;
mod rows;

use serde_json::Value;

use crate::support::{ForSale, TestApp, TestOrg};

/// A table that later ones are compared with.
const FIRST: &str = "station,level\nAsuwa,1.25\nKuzuryu,0.5\n";
/// Other content in the same columns.
const SAME_COLUMNS: &str = "station,level\nAsuwa,1.5\nKuzuryu,0.75\n";
/// One column more.
const WIDER: &str = "station,level,remark\nAsuwa,1.5,calm\nKuzuryu,0.75,\n";
/// Levels are no numbers any more.
const RETYPED: &str = "station,level\nAsuwa,high\nKuzuryu,low\n";

impl TestApp {
    /// Publishes a revision of one table, and gives it its version.
    async fn release(&self, sale: &ForSale, body: &'static str) -> String {
        let revision = self.publish_data(&sale.provider, &sale.listing, "levels.csv", body).await;
        self.run_jobs().await;
        revision
    }

    /// The changelog of a listing, as anybody reads it.
    async fn changelog(&self, listing: &str, query: &str) -> Value {
        self.get(&format!("/api/v1/listings/{listing}/changelog{query}")).await.expect(200).json()
    }

    /// The versions of a listing, newest first.
    async fn version_numbers(&self, listing: &str) -> Vec<String> {
        texts(&self.changelog(listing, "").await, "version")
    }

    /// Orders what is free; returns the grant.
    async fn take(&self, sale: &ForSale, key: &str) -> (TestOrg, String) {
        let buyer = self.buyer().await;
        let grant = self.order(&buyer, sale, key, None).await.expect(201).str("/grant_id");
        (buyer, grant)
    }

    /// The numbers of the revisions whose files a grant gets, newest first.
    async fn gets(&self, (buyer, grant): &(TestOrg, String)) -> Vec<i64> {
        let path = format!("/api/v1/grants/{grant}/files");
        let page = self.as_org(buyer, "GET", &path).send().await.expect(200).json();
        page["items"].as_array().unwrap().iter().map(|file| file["revision_number"].as_i64().unwrap()).collect()
    }

    /// What is said of the versions of a grant, newest first.
    async fn grant_versions(&self, (buyer, grant): &(TestOrg, String)) -> Vec<Value> {
        let path = format!("/api/v1/grants/{grant}/versions");
        let page = self.as_org(buyer, "GET", &path).send().await.expect(200).json();
        page["items"].as_array().unwrap().clone()
    }
}

/// A text of each item of a page.
fn texts(page: &Value, field: &str) -> Vec<String> {
    let items = page["items"].as_array().unwrap();
    items.iter().map(|item| item[field].as_str().unwrap_or_default().to_owned()).collect()
}
