//! Organisations, members and invitations.

use entity::states::{ProviderKind, Role};
use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};
use time::Duration;

use crate::support::{Answer, LoggedIn, TestApp, TestOrg, on_both};

impl TestApp {
    async fn found(&self, token: &str, body: &Value) -> Answer {
        self.request("POST", "/api/v1/organizations").bearer(token).json(body).send().await
    }

    async fn invite(&self, owner: &str, org: &str, email: &str, role: &str) -> Answer {
        let body = json!({"email": email, "role": role});
        self.request("POST", &format!("/api/v1/organizations/{org}/invitations")).bearer(owner).json(&body).send().await
    }

    async fn accept(&self, person: &LoggedIn, token: &str) -> Answer {
        let body = json!({"token": token});
        self.request("POST", "/api/v1/invitations/accept").bearer(&person.access).json(&body).send().await
    }

    async fn set_role(&self, token: &str, org: &TestOrg, account: impl std::fmt::Display, role: &str) -> Answer {
        let path = format!("/api/v1/organizations/{}/members/{account}", org.id);
        self.request("PATCH", &path).bearer(token).json(&json!({"role": role})).send().await
    }

    async fn remove(&self, token: &str, org: &TestOrg, account: impl std::fmt::Display) -> Answer {
        let path = format!("/api/v1/organizations/{}/members/{account}", org.id);
        self.request("DELETE", &path).bearer(token).send().await
    }
}

fn lab() -> Value {
    json!({"name": "Harbour Lab", "country": "DK", "may_provide": true, "may_buy": true, "provider_kind": "company"})
}

on_both! {
    async fn whoever_founds_an_organisation_owns_it(app) {
        let mette = app.register("mette@example.org").await;
        let org = app.found(&mette.access, &lab()).await.expect(201);
        assert_eq!(org.json()["slug"], "harbour-lab");
        assert_eq!(org.json()["may_operate"], false);
        let me = app.request("GET", "/api/v1/accounts/me").bearer(&mette.access).send().await.expect(200);
        assert_eq!(me.str("/memberships/0/role"), "owner");
        assert_eq!(me.str("/memberships/0/organization_id"), org.str("/id"));
        let second = app.found(&mette.access, &lab()).await.expect(201);
        assert!(second.str("/slug").starts_with("harbour-lab-"), "{}", second.text());
    }

    async fn nobody_gives_themselves_the_exchange(app) {
        let mette = app.register("mette@example.org").await;
        let mut body = lab();
        body["may_operate"] = json!(true);
        assert_eq!(app.found(&mette.access, &body).await.expect(422).str("/errors/0/pointer"), "/may_operate");
        let org = app.found(&mette.access, &lab()).await.expect(201);
        let path = format!("/api/v1/organizations/{}", org.str("/id"));
        let patch = app.request("PATCH", &path).bearer(&mette.access).json(&json!({"may_operate": true})).send().await;
        assert_eq!(patch.expect(422).str("/errors/0/pointer"), "/may_operate");
    }

    async fn what_is_wrong_with_an_organisation_is_said_at_once(app) {
        let mette = app.register("mette@example.org").await;
        let body = json!({"name": "\u{200b}", "country": "ZZ", "may_provide": true});
        let answer = app.found(&mette.access, &body).await.expect(422);
        let pointers: Vec<_> = answer.json()["errors"].as_array().expect("errors").iter()
            .map(|error| error["pointer"].as_str().unwrap_or_default().to_owned()).collect();
        for pointer in ["/name", "/country", "/provider_kind"] {
            assert!(pointers.iter().any(|p| p == pointer), "{pointer}: {pointers:?}");
        }
    }

    async fn an_account_owns_at_most_twenty_organisations(app) {
        let mette = app.register("mette@example.org").await;
        for _ in 0..20 {
            app.found(&mette.access, &lab()).await.expect(201);
        }
        app.found(&mette.access, &lab()).await.expect(409);
    }

    async fn strangers_see_public_facts_and_members_more(app) {
        let (org, other, operator) = (app.provider().await, app.buyer().await, app.operator().await);
        let path = format!("/api/v1/organizations/{}", org.id);
        for answer in [app.get(&path).await, app.as_org(&other, "GET", &path).send().await] {
            let body = answer.expect(200).json();
            assert!(body.get("may_buy").is_none(), "{body}");
            assert_eq!(body["provider_kind"], "company");
        }
        for insider in [&org, &operator] {
            assert_eq!(app.as_org(insider, "GET", &path).send().await.expect(200).json()["may_buy"], false);
        }
        app.get("/api/v1/organizations/org_00000000000000000000000000000000").await.expect(404);
        app.get("/api/v1/organizations/nonsense").await.expect(404);
    }

    async fn somebody_without_an_organisation_is_a_visitor(app) {
        let (mette, org) = (app.register("mette@example.org").await, app.provider().await);
        let path = format!("/api/v1/organizations/{}", org.id);
        let look = || app.request("GET", &path).bearer(&mette.access);
        assert!(look().send().await.expect(200).json().get("may_buy").is_none());
        look().header("torv-organization", org.id.to_string()).send().await.expect(404);
        for _ in 0..2 {
            app.found(&mette.access, &lab()).await.expect(201);
        }
        assert!(look().send().await.expect(200).json().get("may_buy").is_none(), "several, and none named");
        app.request("GET", &path).bearer("nonsense").send().await.expect(401);
    }

    async fn owners_change_their_own_organisation_alone(app) {
        let (org, other) = (app.provider().await, app.provider().await);
        let patch = |who: &str, id: &TestOrg, body: Value| {
            app.request("PATCH", &format!("/api/v1/organizations/{}", id.id)).bearer(who).json(&body).send()
        };
        let owner = app.owner(&org).await;
        let changed = patch(&owner, &org, json!({"name": "New name", "country": "JP"})).await.expect(200);
        assert_eq!((changed.str("/name"), changed.str("/country")), ("New name".to_owned(), "JP".to_owned()));
        patch(&owner, &other, json!({"name": "Mine now"})).await.expect(404);
        let editor = app.member(&org, Role::Editor).await;
        patch(&editor, &org, json!({"name": "Mine now"})).await.expect(403);
    }

    async fn only_the_operator_changes_the_kind_of_provider_afterwards(app) {
        let may = crate::support::May { provide: Some(ProviderKind::PublicSector), buy: false, operate: false };
        let (city, operator) = (app.org("city", may).await, app.operator().await);
        let path = format!("/api/v1/organizations/{}", city.id);
        let body = json!({"provider_kind": "company"});
        app.as_org(&city, "PATCH", &path).json(&body).send().await.expect(409);
        let answer = app.as_org(&operator, "PATCH", &path).json(&body).send().await.expect(200);
        assert_eq!(answer.str("/provider_kind"), "company");
    }

    async fn a_member_of_several_organisations_names_one(app) {
        let mette = app.register("mette@example.org").await;
        let list = |header: Option<String>, org: String| {
            let request = app.request("GET", &format!("/api/v1/organizations/{org}/members")).bearer(&mette.access);
            match header {
                Some(named) => request.header("torv-organization", named),
                None => request,
            }.send()
        };
        let alone = app.request("GET", "/api/v1/audit-events").bearer(&mette.access).send().await.expect(403);
        assert!(alone.text().contains("no organisation"), "{}", alone.text());
        let one = app.found(&mette.access, &lab()).await.expect(201).str("/id");
        list(None, one.clone()).await.expect(200);
        let two = app.found(&mette.access, &lab()).await.expect(201).str("/id");
        let unsaid = list(None, one.clone()).await.expect(422);
        assert_eq!(unsaid.str("/errors/0/pointer"), "Torv-Organization");
        list(Some(one.clone()), one.clone()).await.expect(200);
        list(Some(two.clone()), two).await.expect(200);
        let strangers = app.provider().await;
        list(Some(strangers.id.to_string()), strangers.id.to_string()).await.expect(404);
        list(Some("nonsense".to_owned()), one.clone()).await.expect(404);
        list(Some(one), strangers.id.to_string()).await.expect(404);
    }

    async fn every_role_may_what_it_may(app) {
        let org = app.provider().await;
        for (role, status) in [
            (Role::Owner, 200), (Role::Editor, 403), (Role::Buyer, 403), (Role::Finance, 403), (Role::Viewer, 403),
        ] {
            let token = app.member(&org, role).await;
            let members = format!("/api/v1/organizations/{}/members", org.id);
            app.request("GET", &members).bearer(&token).send().await.expect(200);
            let invitations = format!("/api/v1/organizations/{}/invitations", org.id);
            app.request("GET", &invitations).bearer(&token).send().await.expect(status);
            app.request("GET", "/api/v1/audit-events").bearer(&token).send().await.expect(status);
        }
    }

    async fn the_last_owner_stays(app) {
        let org = app.provider().await;
        let owner = app.owner(&org).await;
        app.set_role(&owner, &org, org.owner, "viewer").await.expect(409);
        app.remove(&owner, &org, org.owner).await.expect(409);
        app.set_role(&owner, &org, org.owner, "owner").await.expect(204);
        let (other, token) = app.member_account(&org, Role::Editor).await;
        app.set_role(&owner, &org, other, "owner").await.expect(204);
        app.set_role(&token, &org, org.owner, "viewer").await.expect(204);
        app.set_role(&owner, &org, other, "viewer").await.expect(403);
        app.remove(&token, &org, other).await.expect(409);
    }

    async fn two_owners_who_remove_each_other_at_once_leave_one(app) {
        for _ in 0..5 {
            let org = app.provider().await;
            let owner = app.owner(&org).await;
            let (other, token) = app.member_account(&org, Role::Owner).await;
            let (one, two) = futures::join!(app.remove(&owner, &org, other), app.remove(&token, &org, org.owner));
            let mut statuses = [one.status, two.status];
            statuses.sort_unstable();
            // The slower one is told that they are the last, or that they are no longer a member.
            assert!(statuses[0] == 204 && [403, 404, 409].contains(&statuses[1]), "{statuses:?}");
        }
    }

    async fn members_leave_and_owners_remove(app) {
        let org = app.provider().await;
        let owner = app.owner(&org).await;
        let (viewer, token) = app.member_account(&org, Role::Viewer).await;
        let (editor, editor_token) = app.member_account(&org, Role::Editor).await;
        app.remove(&token, &org, editor).await.expect(403);
        app.remove(&token, &org, viewer).await.expect(204);
        app.request("GET", "/api/v1/audit-events").bearer(&token).send().await.expect(403);
        app.remove(&owner, &org, editor).await.expect(204);
        app.remove(&owner, &org, editor).await.expect(404);
        app.set_role(&owner, &org, editor, "owner").await.expect(404);
        let path = format!("/api/v1/organizations/{}/members", org.id);
        app.request("GET", &path).bearer(&editor_token).send().await.expect(403);
    }

    async fn members_are_listed_page_by_page(app) {
        let org = app.provider().await;
        for role in [Role::Editor, Role::Buyer, Role::Viewer] {
            app.member(&org, role).await;
        }
        let path = format!("/api/v1/organizations/{}/members", org.id);
        let first = app.as_org(&org, "GET", &format!("{path}?limit=3")).send().await.expect(200);
        assert_eq!(first.json()["items"].as_array().map(Vec::len), Some(3));
        let next = format!("{path}?limit=3&cursor={}", first.str("/next_cursor"));
        let last = app.as_org(&org, "GET", &next).send().await.expect(200);
        assert_eq!(last.json()["items"].as_array().map(Vec::len), Some(1));
        assert!(last.json().get("next_cursor").is_none());
        for bad in ["limit=0", "limit=101", "cursor=%25%25", "offset=1"] {
            app.as_org(&org, "GET", &format!("{path}?{bad}")).send().await.expect(422);
        }
    }

    async fn the_invited_person_joins_with_the_role_offered(app) {
        let org = app.provider().await;
        let owner = app.owner(&org).await;
        let jens = app.register("jens@example.org").await;
        let invitation = app.invite(&owner, &org.id.to_string(), "JENS@example.org", "editor").await.expect(201);
        let joined = app.accept(&jens, &invitation.str("/token")).await.expect(200);
        assert_eq!(joined.json(), json!({"organization_id": org.id, "role": "editor"}));
        let path = format!("/api/v1/organizations/{}/members", org.id);
        app.request("GET", &path).bearer(&jens.access).send().await.expect(200);
        app.accept(&jens, &invitation.str("/token")).await.expect(410);
        let again = app.invite(&owner, &org.id.to_string(), "jens@example.org", "owner").await.expect(201);
        app.accept(&jens, &again.str("/token")).await.expect(409);
    }

    async fn an_invitation_is_of_no_use_to_anybody_else(app) {
        let org = app.provider().await;
        let owner = app.owner(&org).await;
        let thief = app.register("thief@example.org").await;
        let invitation = app.invite(&owner, &org.id.to_string(), "jens@example.org", "owner").await.expect(201);
        app.accept(&thief, &invitation.str("/token")).await.expect(404);
        app.accept(&thief, "torv_invite_0000").await.expect(404);
        let jens = app.register("jens@example.org").await;
        app.accept(&jens, &invitation.str("/token")).await.expect(200);
    }

    async fn an_invitation_expires_and_can_be_taken_back(app) {
        let org = app.provider().await;
        let owner = app.owner(&org).await;
        let id = org.id.to_string();
        let revoked = app.invite(&owner, &id, "jens@example.org", "editor").await.expect(201);
        let path = format!("/api/v1/organizations/{id}/invitations/{}", revoked.str("/id"));
        app.request("DELETE", &path).bearer(&owner).send().await.expect(204);
        app.request("DELETE", &path).bearer(&owner).send().await.expect(404);
        let expired = app.invite(&owner, &id, "jens@example.org", "editor").await.expect(201);
        app.advance(Duration::days(14));
        let jens = app.register("jens@example.org").await;
        app.accept(&jens, &revoked.str("/token")).await.expect(410);
        app.accept(&jens, &expired.str("/token")).await.expect(410);
        let list = app.as_org(&org, "GET", &format!("/api/v1/organizations/{id}/invitations")).send().await.expect(200);
        assert_eq!(list.json()["items"], json!([]));
    }

    async fn an_invitation_ends_with_the_right_of_whoever_wrote_it(app) {
        let org = app.provider().await;
        let first = app.owner(&org).await;
        let (second, token) = app.member_account(&org, Role::Owner).await;
        let invitation = app.invite(&token, &org.id.to_string(), "jens@example.org", "owner").await.expect(201);
        app.set_role(&first, &org, second, "viewer").await.expect(204);
        let jens = app.register("jens@example.org").await;
        app.accept(&jens, &invitation.str("/token")).await.expect(410);
    }

    async fn one_invitation_makes_one_member_however_often_it_is_sent(app) {
        let org = app.provider().await;
        let owner = app.owner(&org).await;
        let jens = app.register("jens@example.org").await;
        let token = app.invite(&owner, &org.id.to_string(), "jens@example.org", "buyer").await.expect(201).str("/token");
        let answers = futures::future::join_all((0..8).map(|_| app.accept(&jens, &token))).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1, "{answers:?}");
        assert_eq!(answers.iter().filter(|answer| answer.status == 410).count(), 7, "{answers:?}");
    }

    async fn invitations_are_for_owners_and_show_no_token_later(app) {
        let (org, other) = (app.provider().await, app.provider().await);
        let (owner, editor) = (app.owner(&org).await, app.member(&org, Role::Editor).await);
        let id = org.id.to_string();
        app.invite(&editor, &id, "jens@example.org", "owner").await.expect(403);
        app.invite(&app.owner(&other).await, &id, "jens@example.org", "owner").await.expect(404);
        app.invite(&org.key, &id, "jens@example.org", "owner").await.expect(403);
        app.invite(&owner, &id, "jens＠example.org", "owner").await.expect(422);
        let unknown = app.invite(&owner, &id, "jens@example.org", "king").await.expect(422);
        assert_eq!(unknown.str("/errors/0/pointer"), "/role");
        let token = app.invite(&owner, &id, "jens@example.org", "owner").await.expect(201).str("/token");
        let list = app.as_org(&org, "GET", &format!("/api/v1/organizations/{id}/invitations")).send().await.expect(200);
        assert_eq!(list.json()["items"].as_array().map(Vec::len), Some(1));
        assert!(!list.text().contains(&token));
        let foreign = app.as_org(&other, "GET", &format!("/api/v1/organizations/{id}/invitations")).send().await;
        foreign.expect(404);
    }

    async fn the_operator_is_made_on_the_command_line(app) {
        let password = "umbrella copper moth".into();
        let make = || torv::people::create_operator(&app.app, "op@example.org", "Olga", &password, "The Square");
        let (account, org) = make().await.expect("made");
        let olga = app.log_in("op@example.org", "umbrella copper moth").await;
        assert_eq!(olga.account, account);
        let path = format!("/api/v1/organizations/{org}");
        let view = app.request("GET", &path).bearer(&olga.access).send().await.expect(200);
        assert_eq!(view.json()["may_operate"], true);
        assert_eq!(make().await.expect_err("known address").problem, torv::error::Problem::Conflict);
        let count = app.app.db.read().query_all_raw(sea_orm::Statement::from_string(
            app.app.db.backend(), "SELECT id FROM organization")).await.expect("reads").len();
        assert_eq!(count, 1, "nothing is left of the second try");
    }
}
