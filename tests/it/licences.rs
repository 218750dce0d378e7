use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};
use torv::{base::digest, terms::licences};

use crate::support::{May, TestApp, TestOrg, on_both};

async fn write(app: &TestApp, org: &TestOrg, body: &Value) -> Value {
    app.as_org(org, "POST", "/api/v1/licences").json(body).send().await.expect(201).json()
}

fn pointers(problem: &Value) -> Vec<&str> {
    problem["errors"].as_array().expect("errors").iter().filter_map(|error| error["pointer"].as_str()).collect()
}

/// All pages of the list, three rows at a time.
async fn list(app: &TestApp, org: Option<&TestOrg>) -> Vec<Value> {
    let (mut rows, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/v1/licences?limit=3{cursor}");
        let request = org.map_or_else(|| app.request("GET", &path), |org| app.as_org(org, "GET", &path));
        let page = request.send().await.expect(200).json();
        rows.extend(page["items"].as_array().expect("items").clone());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return rows,
        }
    }
}

on_both! {
    async fn everyone_finds_every_open_licence_once(app) {
        let rows = list(app, None).await;
        let mut codes: Vec<_> = rows.iter().map(|row| row["code"].as_str().expect("a code").to_owned()).collect();
        codes.sort();
        let mut known: Vec<_> = licences::OpenLicence::all().iter().map(|licence| licence.spdx_id.to_owned()).collect();
        known.sort();
        assert_eq!(codes, known);
    }

    async fn seeding_again_and_at_the_same_time_changes_nothing(app) {
        let before = list(app, None).await;
        let again = (0..8).map(|_| licences::seed(&app.app.db, &app.clock));
        for outcome in futures::future::join_all(again).await {
            outcome.expect("seeds");
        }
        assert_eq!(list(app, None).await, before);
    }

    async fn own_licences_come_first_and_nobody_else_sees_them(app) {
        let (provider, other) = (app.provider().await, app.provider().await);
        let first = write(app, &provider, &json!({"preset": "internal_use"})).await;
        app.advance(time::Duration::SECOND);
        let second = write(app, &provider, &json!({"preset": "research"})).await;
        let rows = list(app, Some(&provider)).await;
        let ids: Vec<_> = rows.iter().take(2).map(|row| row["id"].clone()).collect();
        assert_eq!(ids, [first["licence"]["id"].clone(), second["licence"]["id"].clone()]);
        assert_eq!(list(app, Some(&other)).await, list(app, None).await);
        let id = first["licence"]["id"].as_str().expect("an id");
        let path = format!("/api/v1/licences/{id}");
        app.as_org(&provider, "GET", &path).send().await.expect(200);
        app.as_org(&other, "GET", &path).send().await.expect(404);
        app.get(&path).await.expect(404);
        app.as_org(&other, "DELETE", &path).send().await.expect(404);
    }

    async fn a_licence_from_a_preset_says_what_its_preview_said(app) {
        let provider = app.provider().await;
        let body = json!({"title": {"en": "Harbour sensors", "ja": "港のセンサー"}, "preset": "product_use"});
        let preview = app.as_org(&provider, "POST", "/api/v1/licences/preview").json(&body).send().await.expect(200).json();
        let path = format!("/api/v1/licence-documents/{}", preview["hash"].as_str().expect("a hash"));
        app.get(&path).await.expect(404);
        let made = write(app, &provider, &body).await;
        assert_eq!(made["licence"]["hash"], preview["hash"]);
        assert_eq!(made["document"], preview["document"]);
        assert_eq!(app.get(&path).await.expect(200).json(), preview["document"]);
    }

    async fn every_fault_of_the_terms_is_pointed_at(app) {
        let provider = app.provider().await;
        let mut terms = serde_json::to_value(licences::Preset::InternalUse.terms()).expect("JSON");
        terms["seats"] = json!({"limited": {"persons": 0}});
        terms["territory"] = json!({"countries": ["XX"]});
        let body = json!({"title": {"en": " "}, "terms": terms});
        for path in ["/api/v1/licences", "/api/v1/licences/preview"] {
            let answer = app.as_org(&provider, "POST", path).json(&body).send().await.expect(422);
            let expected = ["/title/en", "/terms/territory/countries/0", "/terms/seats/limited/persons"];
            assert_eq!(pointers(&answer.json()), expected);
        }
        for (body, pointer) in [
            (json!({"title": {"en": "A"}}), "/terms"),
            (json!({"preset": "research", "terms": licences::Preset::Research.terms()}), "/terms"),
            (json!({"terms": licences::Preset::Research.terms()}), "/title"),
            (json!({"preset": "resale"}), "/preset"),
            (json!({"preset": "research", "price": 1}), "/price"),
        ] {
            let answer = app.as_org(&provider, "POST", "/api/v1/licences").json(&body).send().await.expect(422);
            assert_eq!(pointers(&answer.json()), [pointer], "{body}");
        }
    }

    async fn only_editors_of_a_provider_write_licences(app) {
        let body = json!({"preset": "internal_use"});
        app.request("POST", "/api/v1/licences").json(&body).send().await.expect(401);
        let buyer = app.buyer().await;
        app.as_org(&buyer, "POST", "/api/v1/licences").json(&body).send().await.expect(403);
        let provider = app.provider().await;
        let reader = app.key(&provider, &["read"]).await;
        for (method, path) in [("POST", "/api/v1/licences"), ("POST", "/api/v1/licences/preview")] {
            app.request(method, path).bearer(&reader).json(&body).send().await.expect(403);
        }
    }

    async fn an_archived_licence_leaves_the_list_and_keeps_its_document(app) {
        let provider = app.provider().await;
        let made = write(app, &provider, &json!({"preset": "internal_use"})).await;
        let path = format!("/api/v1/licences/{}", made["licence"]["id"].as_str().expect("an id"));
        for _ in 0..2 {
            app.as_org(&provider, "DELETE", &path).send().await.expect(204);
        }
        assert_eq!(list(app, Some(&provider)).await, list(app, None).await);
        let kept = app.as_org(&provider, "GET", &path).send().await.expect(200).json();
        assert_eq!(kept["licence"]["archived_at"], "2026-11-21T10:00:00Z");
        assert_eq!(kept["document"], made["document"]);
    }

    async fn open_licences_can_not_be_archived(app) {
        let provider = app.provider().await;
        let id = list(app, None).await[0]["id"].as_str().expect("an id").to_owned();
        app.as_org(&provider, "DELETE", &format!("/api/v1/licences/{id}")).send().await.expect(403);
    }

    async fn a_document_is_the_bytes_its_hash_was_made_of(app) {
        for row in list(app, None).await {
            let (hash, path) = (row["hash"].as_str().expect("a hash"), row["document_url"].as_str().expect("a URL"));
            let answer = app.get(path).await.expect(200);
            assert_eq!(digest::sha256_hex(&answer.bytes), hash);
            assert_eq!(answer.header("content-type"), "application/json");
            assert_eq!(answer.header("etag"), format!("\"{hash}\""));
            assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable");
            let again = app.request("GET", path).header("if-none-match", format!("\"x\", W/\"{hash}\"")).send().await;
            let again = again.expect(304);
            assert!(again.bytes.is_empty());
            assert_eq!(again.header("etag"), format!("\"{hash}\""));
        }
    }

    async fn a_document_is_the_same_ten_years_later(app) {
        let provider = app.provider().await;
        let made = write(app, &provider, &json!({"preset": "research"})).await;
        let path = made["licence"]["document_url"].as_str().expect("a URL").to_owned();
        let then = app.get(&path).await.expect(200).bytes;
        app.as_org(&provider, "DELETE", &format!("/api/v1/licences/{}", made["licence"]["id"].as_str().expect("an id"))).send().await.expect(204);
        app.advance(time::Duration::days(3653));
        assert_eq!(app.get(&path).await.expect(200).bytes, then);
    }

    async fn a_licence_is_read_in_four_languages(app) {
        let provider = app.provider().await;
        let made = write(app, &provider, &json!({"preset": "internal_use"})).await;
        let path = format!("{}/text", made["licence"]["document_url"].as_str().expect("a URL"));
        let mut texts = Vec::new();
        for (lang, language) in [("", "en"), ("?lang=zh-TW", "zh-Hant"), ("?lang=zh-Hant", "zh-Hant"), ("?lang=ja", "ja"), ("?lang=da", "da")] {
            let answer = app.get(&format!("{path}{lang}")).await.expect(200);
            assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
            assert_eq!(answer.header("content-language"), language);
            assert!(answer.header("etag").ends_with(&format!("-{language}\"")));
            assert!(answer.text().starts_with("# "));
            texts.push(answer.text());
        }
        texts.dedup();
        assert_eq!(texts.len(), 4);
        let answer = app.get(&format!("{path}?lang=fr")).await.expect(422);
        assert_eq!(pointers(&answer.json()), ["lang"]);
        app.get(&format!("{path}?language=en")).await.expect(422);
    }

    async fn a_machine_reads_the_licence_as_odrl(app) {
        let provider = app.provider().await;
        let made = write(app, &provider, &json!({"preset": "internal_use"})).await;
        let answer = app.get(&format!("{}/odrl", made["licence"]["document_url"].as_str().expect("a URL"))).await.expect(200);
        assert_eq!(answer.header("content-type"), "application/ld+json");
        let policy = answer.json();
        assert_eq!(policy["@context"], "http://www.w3.org/ns/odrl.jsonld");
        assert_eq!(policy["@type"], "Set");
        assert!(policy["uid"].as_str().expect("a uid").starts_with("urn:torv:terms:sha256:"));
        assert!(policy["permission"].as_array().is_some_and(|rules| !rules.is_empty()));
        assert!(policy["prohibition"].as_array().is_some_and(|rules| !rules.is_empty()));
        assert_eq!(policy, made["document"]["odrl"]);
    }

    async fn an_unknown_hash_is_not_found_in_any_spelling(app) {
        let known = list(app, None).await[0]["hash"].as_str().expect("a hash").to_owned();
        for hash in ["0".repeat(64), known.to_uppercase(), known[..63].to_owned(), "..".to_owned(), "x".repeat(64)] {
            for part in ["", "/text", "/odrl"] {
                app.get(&format!("/api/v1/licence-documents/{hash}{part}")).await.expect(404);
            }
        }
    }

    async fn the_database_refuses_to_change_a_document(app) {
        for statement in ["UPDATE licence_document SET document = '{}'", "DELETE FROM licence_document"] {
            assert!(app.app.db.read().execute_unprepared(statement).await.is_err(), "{statement}");
        }
    }

    async fn a_document_that_was_slipped_in_under_a_wrong_hash_is_never_shown(app) {
        let hash = "a".repeat(64);
        let statement = format!("INSERT INTO licence_document (hash, document, created_at) VALUES ('{hash}', '{{}}', 0)");
        app.app.db.read().execute_unprepared(&statement).await.expect("inserted by somebody with the password");
        for part in ["", "/text", "/odrl"] {
            let answer = app.get(&format!("/api/v1/licence-documents/{hash}{part}")).await.expect(500);
            assert_eq!(answer.json()["type"], "/problems/internal-error");
            assert!(!answer.text().contains("tampered"), "the cause is for the log alone");
        }
        let parties = parties();
        licences::licence_agreement(app.app.db.read(), &hash, &parties).await.expect_err("nor put on a receipt");
    }

    async fn a_receipt_repeats_the_licence_as_an_agreement(app) {
        let provider = app.provider().await;
        let made = write(app, &provider, &json!({"preset": "internal_use"})).await;
        let hash = made["licence"]["hash"].as_str().expect("a hash");
        let agreement = licences::licence_agreement(app.app.db.read(), hash, &parties()).await.expect("kept");
        assert_eq!(agreement.odrl["@type"], "Agreement");
        assert_eq!(agreement.odrl["uid"], "urn:torv:order:ord_1");
        assert_eq!(agreement.odrl["assigner"], "urn:torv:organization:org_1");
        assert_eq!(agreement.odrl["assignee"], "urn:torv:organization:org_2");
        assert!(agreement.odrl.to_string().contains("2027-11-21"), "twelve months on: {}", agreement.odrl);
        assert!(agreement.document.plain_text(licences::Language::Da).starts_with("# "));
    }

    async fn an_organisation_keeps_only_so_many_licences(app) {
        let provider = app.provider().await;
        let statement = format!(
            "INSERT INTO licence SELECT {id}, o.id, 'commercial', NULL, l.title, l.hash, 0, NULL FROM organization o, \
             licence l, {series} WHERE l.code = 'CC0-1.0' AND o.may_provide",
            id = if app.backend == crate::support::Backend::Sqlite { "randomblob(16)" } else { "gen_random_uuid()" },
            series = if app.backend == crate::support::Backend::Sqlite {
                "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 500) SELECT n FROM s)"
            } else {
                "generate_series(1, 500)"
            },
        );
        app.app.db.read().execute_unprepared(&statement).await.expect("five hundred licences");
        let body = json!({"preset": "internal_use"});
        app.as_org(&provider, "POST", "/api/v1/licences").json(&body).send().await.expect(409);
    }

    async fn every_change_of_a_licence_is_in_the_audit_log(app) {
        let provider = app.org("city", May { provide: Some(entity::states::ProviderKind::Ngo), buy: false, operate: false }).await;
        let made = write(app, &provider, &json!({"preset": "internal_use"})).await;
        let id = made["licence"]["id"].as_str().expect("an id");
        app.advance(time::Duration::SECOND);
        for _ in 0..2 {
            app.as_org(&provider, "DELETE", &format!("/api/v1/licences/{id}")).send().await.expect(204);
        }
        assert_eq!(app.audited(id).await, ["licence.create", "licence.archive"]);
    }
}

fn parties() -> licences::Parties {
    licences::Parties {
        agreement: "ord_1".to_owned(),
        target: "lst_1".to_owned(),
        assigner: "org_1".to_owned(),
        assignee: "org_2".to_owned(),
        agreed_at: time::macros::datetime!(2026-11-21 10:00 UTC),
    }
}
