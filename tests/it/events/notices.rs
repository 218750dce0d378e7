//! Reading the log: pages, languages, rights, and what is unread.

use entity::states::{Coverage, Role};
use serde_json::{Value, json};

use crate::support::{TestApp, TestOrg, on_both};

impl TestApp {
    async fn page(&self, org: &TestOrg, query: &str) -> Value {
        self.as_org(org, "GET", &format!("/api/v1/notices{query}")).send().await.expect(200).json()
    }

    async fn unread(&self, token: &str) -> Value {
        self.request("GET", "/api/v1/notices/unread").bearer(token).send().await.expect(200).json()
    }
}

fn numbers(page: &Value) -> Vec<i64> {
    page["items"].as_array().expect("a list").iter().filter_map(|one| one["data"]["number"].as_i64()).collect()
}

on_both! {
    async fn a_page_follows_the_other_in_both_directions(app) {
        let granted = app.granted(Coverage::Snapshot, 1).await;
        app.revisions(granted.listing, 1..=5).await;
        app.run_jobs().await;
        let (mut after, mut seen) = (0, Vec::new());
        loop {
            let page = app.page(&granted.buyer, &format!("?after={after}&limit=2")).await;
            seen.extend(numbers(&page));
            after = page["cursor"].as_i64().unwrap();
            if page["has_more"] == false {
                break;
            }
        }
        assert_eq!(seen, [1, 2, 3, 4, 5]);
        let newest = app.page(&granted.buyer, "?limit=2").await;
        assert_eq!(numbers(&newest), [5, 4]);
        let before = newest["cursor"].as_i64().unwrap();
        assert_eq!(numbers(&app.page(&granted.buyer, &format!("?before={before}")).await), [3, 2, 1]);
        let end = app.page(&granted.buyer, &format!("?after={after}")).await;
        assert_eq!(end, json!({"items": [], "cursor": after, "has_more": false}), "the cursor holds for the next look");
        app.revisions(granted.listing, [6]).await;
        app.run_jobs().await;
        assert_eq!(numbers(&app.page(&granted.buyer, &format!("?after={after}")).await), [6]);
    }

    async fn a_title_is_in_the_readers_language(app) {
        let granted = app.granted(Coverage::Snapshot, 1).await;
        app.revisions(granted.listing, [2]).await;
        app.run_jobs().await;
        for (query, title) in [
            ("", "New data in “Bridges”"),
            ("?lang=da", "Nye data i »Bridges«"),
            ("?lang=zh-Hant", "「Bridges」有新資料"),
            ("?lang=ja", "「Bridges」に新しいデータがあります"),
            ("?lang=fr", "New data in “Bridges”"),
        ] {
            assert_eq!(app.page(&granted.buyer, query).await["items"][0]["title"], title, "{query}");
        }
        let person = app.register("reader@example.org").await;
        let path = format!("/api/v1/organizations/{}/invitations", granted.buyer.id);
        let owner = app.owner(&granted.buyer).await;
        let invite = json!({"email": "reader@example.org", "role": "viewer"});
        let token = app.request("POST", &path).bearer(&owner).json(&invite).send().await.expect(201).str("/token");
        let accept = json!({"token": token});
        app.request("POST", "/api/v1/invitations/accept").bearer(&person.access).json(&accept).send().await;
        let seen = app.request("GET", "/api/v1/notices").bearer(&person.access).send().await.expect(200).json();
        assert_eq!(seen["items"][0]["title"], "New data in “Bridges”", "registered with English");
    }

    async fn a_member_sees_what_their_role_may(app) {
        let granted = app.granted(Coverage::Snapshot, 1).await;
        let payout = json!({"payout_id": "pyt_1", "organization_id": granted.buyer.id, "amount_minor": 5, "currency": "EUR"});
        app.happens("payout.paid", granted.listing, payout).await;
        app.revisions(granted.listing, [2]).await;
        app.run_jobs().await;
        let (viewer, finance) = (app.member(&granted.buyer, Role::Viewer).await, app.member(&granted.buyer, Role::Finance).await);
        for (token, kinds) in [(&viewer, vec!["revision.published"]), (&finance, vec!["payout.paid", "revision.published"])] {
            let page = app.request("GET", "/api/v1/notices?after=0").bearer(token).send().await.expect(200).json();
            let seen: Vec<_> = page["items"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
            assert_eq!(seen, kinds);
            assert_eq!(app.unread(token).await["count"], kinds.len());
        }
        app.request("GET", "/api/v1/notices?kind=payout.paid").bearer(&viewer).send().await.expect(403);
        let only = app.request("GET", "/api/v1/notices?kind=payout.paid").bearer(&finance).send().await.expect(200).json();
        assert_eq!(only["items"].as_array().map(Vec::len), Some(1));
        assert_eq!(only["items"][0]["data"]["amount_minor"], 5);
    }

    async fn everybody_reads_for_themselves(app) {
        let granted = app.granted(Coverage::Snapshot, 1).await;
        app.revisions(granted.listing, 1..=3).await;
        app.run_jobs().await;
        let (one, other) = (app.member(&granted.buyer, Role::Viewer).await, app.member(&granted.buyer, Role::Buyer).await);
        let newest = app.unread(&one).await["newest"].as_i64().unwrap();
        let cursors: Vec<i64> = app.notices_of(&granted.buyer).await.iter().map(|one| one["cursor"].as_i64().unwrap()).collect();
        let read = async |token: &str, cursor: i64| {
            let body = json!({"cursor": cursor});
            app.request("POST", "/api/v1/notices/read").bearer(token).json(&body).send().await
        };
        assert_eq!(read(&one, cursors[1]).await.expect(200).json()["count"], 1);
        assert_eq!(read(&one, cursors[0]).await.expect(200).json()["count"], 1, "a mark never goes back");
        assert_eq!(app.unread(&other).await["count"], 3);
        assert_eq!(app.unread(&granted.buyer.key).await["count"], 3, "a key reads for itself");
        read(&one, newest + 1).await.expect(422);
        read(&one, -1).await.expect(422);
        assert_eq!(read(&one, newest).await.expect(200).json(), json!({"count": 0, "is_more": false, "read_up_to": newest, "newest": newest}));
    }

    async fn nonsense_is_refused(app) {
        let org = app.buyer().await;
        for query in ["?after=-1", "?before=-1", "?after=1&before=2", "?kind=none.such", "?lang=no_such", "?limit=0", "?limit=101", "?after=x", "?cursor=1"] {
            app.as_org(&org, "GET", &format!("/api/v1/notices{query}")).send().await.expect(422);
        }
        let kinds = app.get("/api/v1/notices/kinds").await.expect(200).json();
        assert!(kinds["items"].as_array().is_some_and(|all| all.len() > 40));
    }

    async fn an_organisation_sees_only_what_it_was_told(app) {
        let (one, two) = (app.granted(Coverage::Snapshot, 1).await, app.granted(Coverage::Snapshot, 1).await);
        app.revisions(one.listing, [1]).await;
        app.revisions(two.listing, [2]).await;
        app.run_jobs().await;
        assert_eq!(numbers(&app.page(&one.buyer, "").await), [1]);
        assert_eq!(numbers(&app.page(&two.buyer, "").await), [2]);
        assert_eq!(numbers(&app.page(&two.provider, "").await), [2]);
    }
}
