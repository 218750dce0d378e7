//! The audit log.

use entity::{audit_event, states::Role};
use sea_orm::{ConnectionTrait as _, EntityTrait as _};
use serde_json::{Value, json};

use crate::support::{Answer, TestApp, TestOrg, on_both};

impl TestApp {
    async fn audit_of(&self, org: &TestOrg, query: &str) -> Answer {
        self.as_org(org, "GET", &format!("/api/v1/audit-events{query}")).send().await
    }

    async fn rename(&self, by: &TestOrg, org: &TestOrg, name: &str) {
        let request = self.as_org(by, "PATCH", &format!("/api/v1/organizations/{}", org.id));
        request.json(&json!({"name": name})).send().await.expect(200);
    }
}

fn actions(answer: &Answer) -> Vec<String> {
    let json = answer.json();
    let items = json["items"].as_array().expect("items");
    items.iter().map(|item| item["action"].as_str().unwrap_or_default().to_owned()).collect()
}

on_both! {
    async fn a_line_tells_who_did_what_in_which_request(app) {
        let org = app.provider().await;
        let (member, _) = app.member_account(&org, Role::Viewer).await;
        let owner = app.owner(&org).await;
        let request = app.request("PATCH", &format!("/api/v1/organizations/{}/members/{member}", org.id));
        request.bearer(&owner).header("x-request-id", "mine-7").json(&json!({"role": "editor"})).send().await.expect(204);
        let line = app.audit_of(&org, "").await.expect(200).json()["items"][0].clone();
        assert_eq!(line["action"], "member.change_role");
        assert_eq!(line["resource"], member.to_string());
        assert_eq!(line["account_id"], org.owner.to_string());
        assert_eq!(line["organization_id"], org.id.to_string());
        assert_eq!(line["request_id"], "mine-7");
        assert_eq!(line["detail"], json!({"from": "viewer", "to": "editor"}));
        assert!(line.get("api_key_id").is_none());
        app.rename(&org, &org, "Renamed").await;
        let line = app.audit_of(&org, "?action=organization.change").await.expect(200).json()["items"][0].clone();
        assert!(line["api_key_id"].as_str().is_some_and(|id| id.starts_with("key_")), "{line}");
        assert!(line.get("account_id").is_none());
    }

    async fn owners_read_their_own_lines_and_the_operator_all(app) {
        let (one, two, operator) = (app.provider().await, app.provider().await, app.operator().await);
        app.rename(&one, &one, "One").await;
        app.rename(&two, &two, "Two").await;
        app.rename(&operator, &two, "Too").await;
        assert_eq!(actions(&app.audit_of(&one, "").await.expect(200)).len(), 1);
        assert_eq!(actions(&app.audit_of(&two, "").await.expect(200)).len(), 2, "also what the operator did to it");
        assert_eq!(actions(&app.audit_of(&operator, "").await.expect(200)).len(), 3);
        app.audit_of(&one, &format!("?organization={}", two.id)).await.expect(404);
        let own = app.audit_of(&one, &format!("?organization={}", one.id)).await.expect(200);
        assert_eq!(actions(&own).len(), 1);
        let filtered = app.audit_of(&operator, &format!("?organization={}", two.id)).await.expect(200);
        assert_eq!(actions(&filtered).len(), 2);
        let foreign = app.audit_of(&one, &format!("?resource={}", two.id)).await.expect(200);
        assert_eq!(actions(&foreign).len(), 0);
        app.get("/api/v1/audit-events").await.expect(401);
    }

    async fn the_log_is_read_page_by_page_newest_first(app) {
        let org = app.provider().await;
        for number in 0..5 {
            app.advance(time::Duration::seconds(1));
            app.rename(&org, &org, &format!("Name {number}")).await;
        }
        let mut seen: Vec<Value> = Vec::new();
        let mut query = "?limit=2".to_owned();
        loop {
            let page = app.audit_of(&org, &query).await.expect(200).json();
            seen.extend(page["items"].as_array().expect("items").clone());
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            query = format!("?limit=2&cursor={cursor}");
        }
        assert_eq!(seen.len(), 5);
        assert!(seen.is_sorted_by(|a, b| a["at"].as_str() > b["at"].as_str()), "{seen:?}");
        for bad in ["?actions=x", "?limit=1000", "?cursor=x", "?organization=x"] {
            app.audit_of(&org, bad).await.expect(422);
        }
    }

    async fn every_change_of_people_leaves_a_line(app) {
        let mette = app.register("mette@example.org").await;
        let post = |path: &str, token: &str, body: Value| {
            app.request("POST", path).bearer(token).json(&body).send()
        };
        let lab = json!({"name": "Lab", "country": "DK", "may_buy": true});
        let org = post("/api/v1/organizations", &mette.access, lab).await.expect(201).str("/id");
        let keys = format!("/api/v1/organizations/{org}/api-keys");
        let key = json!({"name": "Key", "scopes": ["read"], "expires_in_days": 9});
        let key = post(&keys, &mette.access, key).await.expect(201).str("/id");
        app.request("DELETE", &format!("{keys}/{key}")).bearer(&mette.access).send().await.expect(204);
        let invitations = format!("/api/v1/organizations/{org}/invitations");
        let jens = app.register("jens@example.org").await;
        let body = json!({"email": "jens@example.org", "role": "buyer"});
        let token = post(&invitations, &mette.access, body.clone()).await.expect(201).str("/token");
        let taken_back = post(&invitations, &mette.access, body).await.expect(201).str("/id");
        let path = format!("{invitations}/{taken_back}");
        app.request("DELETE", &path).bearer(&mette.access).send().await.expect(204);
        post("/api/v1/invitations/accept", &jens.access, json!({"token": token})).await.expect(200);
        let member = format!("/api/v1/organizations/{org}/members/{}", jens.account);
        let viewer = json!({"role": "viewer"});
        app.request("PATCH", &member).bearer(&mette.access).json(&viewer).send().await.expect(204);
        app.request("DELETE", &member).bearer(&jens.access).send().await.expect(204);
        let passwords = json!({"current_password": crate::support::PASSWORD, "new_password": "umbrella copper moth"});
        post("/api/v1/accounts/me/password", &jens.access, passwords).await.expect(204);
        app.request("DELETE", "/api/v1/sessions/current").bearer(&jens.access).send().await.expect(204);
        let rows = audit_event::Entity::find().all(app.app.db.read()).await.expect("reads");
        for action in [
            "account.register", "session.log_in", "organization.found", "api_key.create", "api_key.revoke",
            "invitation.create", "invitation.revoke", "invitation.accept", "member.change_role", "member.remove",
            "account.change_password", "session.log_out",
        ] {
            assert!(rows.iter().any(|row| row.action == action), "{action}");
        }
    }

    async fn the_database_refuses_to_change_the_log(app) {
        let org = app.provider().await;
        app.rename(&org, &org, "Renamed").await;
        let mut statements = vec!["UPDATE audit_event SET action = 'nothing'", "DELETE FROM audit_event"];
        if app.backend == crate::support::Backend::Postgres {
            statements.push("TRUNCATE audit_event");
        }
        for statement in statements {
            let error = app.app.db.read().execute_unprepared(statement).await.expect_err(statement);
            assert!(error.to_string().contains("append-only"), "{statement}: {error}");
        }
        assert_eq!(audit_event::Entity::find().all(app.app.db.read()).await.expect("reads").len(), 1);
    }
}
