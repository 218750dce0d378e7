//! A table that `home` holds a grant on, and how what reads it is tried.

use entity::states::Role;
use serde_json::json;

use super::{
    probes::Probe,
    world::{World, fresh, offer, order, text},
};
use crate::support::{TestApp, TestOrg};

/// A table with places.
const GAUGES: &str = "station,longitude,latitude\nAsuwa,136.21,36.06\nHino,136.16,35.94\n";

/// Where the table is, in each of its protocols.
pub struct Shared {
    grant: String,
    listing: String,
    share: String,
    schema: String,
    collection: String,
    /// A report of `home` about the table.
    trial_report: String,
}

/// What may be asked about it before it is bought, and a question.
fn trial_policy() -> serde_json::Value {
    json!({"enabled": true, "columns": [{"name": "station"}]})
}

fn trial_questions() -> serde_json::Value {
    json!({"questions": [{"kind": "coverage", "columns": ["station"]}]})
}

impl Shared {
    pub async fn build(app: &TestApp, home: &TestOrg, partner: &TestOrg) -> Self {
        let listing = app.draft(partner, &json!({})).await;
        app.publish_data(partner, &listing, "gauges.csv", GAUGES).await;
        let key = json!({"columns": ["station"]});
        let path = format!("/api/v1/listings/{listing}/row-keys/gauges.csv");
        app.as_org(partner, "PUT", &path).json(&key).send().await.expect(200);
        let offer = offer(app, partner, &listing, &json!({"kind": "free", "licence": "CC-BY-4.0"})).await;
        app.post(partner, &format!("/api/v1/listings/{listing}/publish")).await.expect(200);
        let bought = order(app, home, &offer, None).await;
        app.run_jobs().await;
        let grant = text(&bought, "/grant_id");
        let told = app.as_org(home, "GET", &format!("/api/v1/grants/{grant}/share-profile")).send().await.expect(200);
        let collections = app.as_org(home, "GET", "/ogc/collections").send().await.expect(200);
        let path = |rest: &str| format!("/api/v1/listings/{listing}/{rest}");
        app.as_org(partner, "PUT", &path("trial-policy")).json(&trial_policy()).send().await.expect(200);
        let asked = app.as_org(home, "POST", &path("trial-reports")).header("idempotency-key", fresh());
        let trial_report = asked.json(&trial_questions()).send().await.expect(201).str("/id");
        Self {
            trial_report,
            grant,
            listing,
            share: told.str("/share"),
            schema: told.str("/schema"),
            collection: collections.str("/collections/0/id").replace(':', "%3A"),
        }
    }

    fn table(&self) -> Probe {
        Probe::at("share", &self.share).and("schema", &self.schema).and("table", "gauges")
    }

    /// The request that tries `name`, if it reads tables.
    pub async fn probe(&self, app: &TestApp, world: &World, name: &str) -> Option<Probe> {
        let home = &world.home;
        let trial = |listing: &str| Probe::at("id", listing).header("idempotency-key", fresh()).with(trial_questions());
        Some(match name {
            "get_trial_policy" | "get_trial_usage" => Probe::at("id", &world.listing),
            "get_trial_policy draft" | "list_trial_reports draft" => Probe::at("id", &world.draft),
            "set_trial_policy" => Probe::at("id", &world.listing).with(trial_policy()),
            "create_trial_report" => trial(&self.listing),
            "create_trial_report draft" => trial(&world.draft),
            "list_trial_reports" => Probe::at("id", &self.listing),
            "get_trial_report" => Probe::at("id", &self.trial_report),
            "get_share_access" | "issue_share_profile" => Probe::at("id", &self.grant),
            "revoke_share_profile" => {
                let person = app.member(home, Role::Buyer).await;
                let path = format!("/api/v1/grants/{}/share-profile", self.grant);
                app.request("POST", &path).bearer(person).send().await.expect(201);
                Probe::at("id", &self.grant)
            }
            "list_shares" | "list_collections" | "get_features_landing_page" | "get_features_conformance" => {
                Probe::default()
            }
            "get_share" | "list_share_schemas" | "list_share_tables" => Probe::at("share", &self.share),
            "list_schema_tables" => Probe::at("share", &self.share).and("schema", &self.schema),
            "get_table_version" | "get_table_metadata" => self.table(),
            "get_table_changes" => Probe { query: "?startingVersion=0".to_owned(), ..self.table() },
            "query_table" => self.table().with(json!({})),
            // Whether there is a program for it or not.
            "run_sql" => Probe::default().with(json!({"sql": "", "tables": {"gauges": {"grant": self.grant}}})),
            "list_sql_tables" => Probe::default(),
            "list_rows" => Probe::at("id", &self.listing),
            "get_collection" | "get_queryables" | "list_features" => Probe::at("collection", &self.collection),
            "get_feature" => Probe::at("collection", &self.collection).and("feature", "1"),
            _ => return None,
        })
    }
}
