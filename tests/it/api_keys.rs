//! API keys.

use entity::{api_key, states::Role};
use sea_orm::EntityTrait as _;
use serde_json::{Value, json};
use time::Duration;

use crate::support::{Answer, TestApp, TestOrg, on_both};

impl TestApp {
    async fn make_key(&self, token: &str, org: &TestOrg, scopes: &[&str], days: i64) -> Answer {
        let body = json!({"name": "Nightly", "scopes": scopes, "expires_in_days": days});
        self.make_key_of(token, org, &body).await
    }

    async fn make_key_of(&self, token: &str, org: &TestOrg, body: &Value) -> Answer {
        let path = format!("/api/v1/organizations/{}/api-keys", org.id);
        self.request("POST", &path).bearer(token).json(body).send().await
    }

    async fn list_keys(&self, token: &str, org: &TestOrg) -> Answer {
        self.request("GET", &format!("/api/v1/organizations/{}/api-keys", org.id)).bearer(token).send().await
    }

    async fn revoke_key(&self, token: &str, org: &TestOrg, id: &str) -> Answer {
        self.request("DELETE", &format!("/api/v1/organizations/{}/api-keys/{id}", org.id)).bearer(token).send().await
    }

    /// Tries something that needs the scope `read` with a key.
    async fn reads(&self, key: &str, org: &TestOrg) -> u16 {
        self.request("GET", &format!("/api/v1/organizations/{}/members", org.id)).bearer(key).send().await.status
    }
}

on_both! {
    async fn a_key_is_shown_once_and_kept_as_a_hash(app) {
        let org = app.buyer().await;
        let owner = app.owner(&org).await;
        let made = app.make_key(&owner, &org, &["read", "buy"], 90).await.expect(201);
        let secret = made.str("/secret");
        assert_eq!(secret.len(), "torv_key_".len() + 64, "{secret}");
        assert_eq!(app.reads(&secret, &org).await, 200);
        let list = app.list_keys(&owner, &org).await.expect(200);
        assert!(!list.text().contains(&secret) && !list.text().contains("hash"), "{}", list.text());
        let rows = api_key::Entity::find().all(app.app.db.read()).await.expect("reads");
        assert!(rows.iter().all(|row| row.secret_hash != secret && row.secret_hash.len() == 64));
    }

    async fn a_key_ends_when_it_expires_or_is_revoked(app) {
        let org = app.buyer().await;
        let owner = app.owner(&org).await;
        let made = app.make_key(&owner, &org, &["read"], 1).await.expect(201);
        app.advance(Duration::days(1) - Duration::seconds(1));
        assert_eq!(app.reads(&made.str("/secret"), &org).await, 200);
        app.advance(Duration::seconds(1));
        assert_eq!(app.reads(&made.str("/secret"), &org).await, 401);
        let owner = app.owner(&org).await;
        let made = app.make_key(&owner, &org, &["read"], 1).await.expect(201);
        app.revoke_key(&owner, &org, &made.str("/id")).await.expect(204);
        assert_eq!(app.reads(&made.str("/secret"), &org).await, 401);
        app.revoke_key(&owner, &org, &made.str("/id")).await.expect(404);
    }

    async fn a_key_never_has_a_right_its_maker_lacks(app) {
        let org = app.buyer().await;
        let owner = app.owner(&org).await;
        let (buyer, token) = app.member_account(&org, Role::Buyer).await;
        for scope in ["catalogue", "finance", "members"] {
            app.make_key(&token, &org, &["read", scope], 9).await.expect(403);
        }
        let key = app.make_key(&token, &org, &["read", "buy"], 9).await.expect(201).str("/secret");
        let audit = app.request("GET", "/api/v1/audit-events").bearer(&key).send().await;
        audit.expect(403);
        let members = app.make_key(&owner, &org, &["read", "members"], 9).await.expect(201).str("/secret");
        app.request("GET", "/api/v1/audit-events").bearer(&members).send().await.expect(200);
        let path = format!("/api/v1/organizations/{}/members/{buyer}", org.id);
        app.request("DELETE", &path).bearer(&owner).send().await.expect(204);
        assert_eq!(app.reads(&key, &org).await, 401, "the maker has left");
    }

    async fn a_key_loses_what_its_maker_loses(app) {
        let org = app.buyer().await;
        let (first, second) = (app.owner(&org).await, app.member_account(&org, Role::Owner).await);
        let key = app.make_key(&second.1, &org, &["read", "members"], 9).await.expect(201).str("/secret");
        let path = format!("/api/v1/organizations/{}/members/{}", org.id, second.0);
        app.request("PATCH", &path).bearer(&first).json(&json!({"role": "viewer"})).send().await.expect(204);
        app.request("GET", "/api/v1/audit-events").bearer(&key).send().await.expect(403);
        assert_eq!(app.reads(&key, &org).await, 200);
    }

    async fn keys_make_no_keys_and_are_no_person(app) {
        let org = app.buyer().await;
        app.make_key(&org.key, &org, &["read"], 9).await.expect(403);
        app.request("GET", "/api/v1/accounts/me").bearer(&org.key).send().await.expect(401);
        app.request("DELETE", "/api/v1/sessions/current").bearer(&org.key).send().await.expect(401);
    }

    async fn a_key_acts_for_its_own_organisation_alone(app) {
        let (org, other) = (app.buyer().await, app.buyer().await);
        assert_eq!(app.reads(&org.key, &other).await, 404);
        let request = app.as_org(&org, "GET", &format!("/api/v1/organizations/{}/members", other.id));
        request.header("torv-organization", other.id.to_string()).send().await.expect(404);
    }

    async fn owners_see_all_keys_and_members_their_own(app) {
        let org = app.buyer().await;
        let (owner, viewer) = (app.owner(&org).await, app.member(&org, Role::Viewer).await);
        let own = app.make_key(&viewer, &org, &["read"], 9).await.expect(201);
        let other = app.make_key(&owner, &org, &["read"], 9).await.expect(201);
        let count = |answer: Answer| answer.expect(200).json()["items"].as_array().map(Vec::len);
        assert_eq!(count(app.list_keys(&viewer, &org).await), Some(1));
        assert_eq!(count(app.list_keys(&owner, &org).await), Some(3), "with the key of the test support");
        app.revoke_key(&viewer, &org, &other.str("/id")).await.expect(404);
        app.revoke_key(&owner, &org, &own.str("/id")).await.expect(204);
        let reader = app.key(&org, &["read"]).await;
        app.list_keys(&reader, &org).await.expect(403);
    }

    async fn absurd_keys_are_refused(app) {
        let org = app.buyer().await;
        let owner = app.owner(&org).await;
        for (body, pointer) in [
            (json!({"name": "a", "scopes": [], "expires_in_days": 9}), "/scopes"),
            (json!({"name": "a", "scopes": ["read", "read"], "expires_in_days": 9}), "/scopes"),
            (json!({"name": "a", "scopes": ["root"], "expires_in_days": 9}), "/scopes/0"),
            (json!({"name": "a", "scopes": ["read"], "expires_in_days": 0}), "/expires_in_days"),
            (json!({"name": "a", "scopes": ["read"], "expires_in_days": 367}), "/expires_in_days"),
            (json!({"name": "a", "scopes": ["read"], "expires_in_days": -1}), "/expires_in_days"),
            (json!({"name": "", "scopes": ["read"], "expires_in_days": 9}), "/name"),
            (json!({"name": "a", "scopes": ["read"], "expires_in_days": 9, "secret": "mine"}), "/secret"),
        ] {
            let answer = app.make_key_of(&owner, &org, &body).await.expect(422);
            assert_eq!(answer.str("/errors/0/pointer"), pointer, "{body}");
        }
    }

    async fn an_organisation_has_at_most_fifty_live_keys(app) {
        let org = app.buyer().await;
        let owner = app.owner(&org).await;
        let answers = futures::future::join_all((0..52).map(|_| app.make_key(&owner, &org, &["read"], 9))).await;
        let made = answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(made, 49, "with the key of the test support");
        assert_eq!(answers.iter().filter(|answer| answer.status == 409).count(), 3);
        app.advance(Duration::days(9));
        let owner = app.owner(&org).await;
        app.make_key(&owner, &org, &["read"], 9).await.expect(201);
    }

    async fn nonsense_is_no_key(app) {
        for key in ["torv_key_", "torv_key_00", "torv_key_' OR 1=1 --"] {
            app.request("GET", "/api/v1/audit-events").bearer(key).send().await.expect(401);
        }
    }
}
