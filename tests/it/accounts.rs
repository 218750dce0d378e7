//! Accounts, sessions and access tokens.

use std::sync::{Arc, LazyLock, Mutex};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use entity::{account, audit_event, session, signing_key};
use sea_orm::{ConnectionTrait as _, EntityTrait as _, PaginatorTrait as _};
use serde_json::{Value, json};
use time::Duration;

use crate::support::{Answer, PASSWORD, TestApp, on_both};

fn registration(email: &str, password: &str) -> Value {
    json!({"email": email, "password": password, "display_name": "Mette Juul", "locale": "da"})
}

impl TestApp {
    async fn submit(&self, path: &str, body: &Value) -> Answer {
        self.request("POST", path).json(body).send().await
    }

    async fn try_log_in(&self, email: &str, password: &str) -> Answer {
        self.submit("/api/v1/sessions", &json!({"email": email, "password": password})).await
    }

    async fn refresh(&self, token: &str) -> Answer {
        self.submit("/api/v1/sessions/refresh", &json!({"refresh_token": token})).await
    }

    async fn me(&self, token: &str) -> Answer {
        self.request("GET", "/api/v1/accounts/me").bearer(token).send().await
    }
}

/// What this binary logs, from the first look on.
static LOG: LazyLock<Log> = LazyLock::new(|| {
    let (log, level) = (Log::default(), tracing::Level::DEBUG);
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(level).with_ansi(false);
    subscriber.with_writer(move || writer.clone()).try_init().expect("no other test listens");
    log
});

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("not poisoned")).into_owned()
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The token with one part replaced.
fn with_part(token: &str, number: usize, part: &str) -> String {
    let mut parts: Vec<&str> = token.split('.').collect();
    parts[number] = part;
    parts.join(".")
}

fn part(token: &str, number: usize) -> Value {
    let text = token.split('.').nth(number).expect("three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).expect("base64url")).expect("JSON")
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

on_both! {
    async fn somebody_registers_logs_in_and_sees_themselves(app) {
        let answer = app.submit("/api/v1/accounts", &registration(" Mette@Example.ORG ", PASSWORD)).await.expect(201);
        assert_eq!(answer.json()["email"], "mette@example.org");
        let mette = app.log_in("METTE@example.org", PASSWORD).await;
        let me = app.me(&mette.access).await.expect(200);
        assert_eq!(me.json()["id"], answer.json()["id"]);
        assert_eq!(me.json()["locale"], "da");
        assert_eq!(me.json()["memberships"], json!([]));
    }

    async fn a_second_registration_of_a_mail_address_is_a_conflict(app) {
        app.register("mette@example.org").await;
        let again = app.submit("/api/v1/accounts", &registration("METTE@example.org", PASSWORD)).await;
        assert_eq!(again.expect(409).json()["type"], "/problems/conflict");
    }

    async fn everything_wrong_with_a_registration_is_said_at_once(app) {
        let body = json!({"email": "no address", "password": "short", "display_name": " ", "locale": "English"});
        let answer = app.submit("/api/v1/accounts", &body).await.expect(422);
        let errors = answer.json()["errors"].as_array().expect("errors").clone();
        for pointer in ["/email", "/password", "/display_name", "/locale"] {
            assert!(errors.iter().any(|error| error["pointer"] == pointer), "{pointer}: {}", answer.text());
        }
    }

    async fn unknown_fields_are_named(app) {
        let mut body = registration("mette@example.org", PASSWORD);
        body["is_admin"] = json!(true);
        let answer = app.submit("/api/v1/accounts", &body).await.expect(422);
        assert_eq!(answer.str("/errors/0/pointer"), "/is_admin");
        let answer = app.submit("/api/v1/sessions", &json!({"email": "a@b.dk", "password": "x", "otp": "1"})).await;
        assert_eq!(answer.expect(422).str("/errors/0/pointer"), "/otp");
    }

    async fn hostile_mail_addresses_and_names_are_refused(app) {
        for email in [
            "аdmin@example.org", "a\u{202e}@example.org", "a\u{200d}b@example.org", "a＠example.org", "a@exаmple.org",
            "a@example.org\u{0}", "a@example.org\r\nBcc: b@example.org", "a@localhost", "'; DROP TABLE account; --",
        ] {
            let answer = app.submit("/api/v1/accounts", &registration(email, PASSWORD)).await.expect(422);
            assert_eq!(answer.str("/errors/0/pointer"), "/email", "{email:?}");
        }
        let mut body = registration("mette@example.org", PASSWORD);
        body["display_name"] = json!("Mette\u{202e}rotarepo");
        assert_eq!(app.submit("/api/v1/accounts", &body).await.expect(422).str("/errors/0/pointer"), "/display_name");
    }

    async fn passwords_that_would_be_guessed_are_refused(app) {
        for password in ["mette@example.org", "aaaaaaaaaaaaaaaa", "123456789012", "Password2026!", "torvtorvtorv"] {
            let answer = app.submit("/api/v1/accounts", &registration("mette@example.org", password)).await.expect(422);
            assert_eq!(answer.str("/errors/0/pointer"), "/password", "{password}");
        }
    }

    async fn a_wrong_password_and_an_unknown_address_get_the_same_answer(app) {
        app.register("mette@example.org").await;
        let wrong = app.try_log_in("mette@example.org", "lantern pier oatmeal").await.expect(401);
        let unknown = app.try_log_in("nobody@example.org", "lantern pier oatmeal").await.expect(401);
        let without_id = |answer: &Answer| {
            let mut body = answer.json();
            body["instance"] = Value::Null;
            body
        };
        assert_eq!(without_id(&wrong), without_id(&unknown));
    }

    async fn guessing_is_stopped_whether_or_not_the_account_exists(app) {
        app.register("mette@example.org").await;
        for email in ["mette@example.org", "nobody@example.org"] {
            for _ in 0..10 {
                app.try_log_in(email, "lantern pier oatmeal").await.expect(401);
            }
            let answer = app.try_log_in(email, PASSWORD).await.expect(429);
            let wait: i64 = answer.header("retry-after").parse().expect("seconds");
            assert!((1..=900).contains(&wait), "{wait}");
        }
        app.advance(Duration::minutes(15));
        app.log_in("mette@example.org", PASSWORD).await;
    }

    async fn the_right_password_forgets_the_wrong_ones(app) {
        app.register("mette@example.org").await;
        for _ in 0..2 {
            for _ in 0..9 {
                app.try_log_in("mette@example.org", "lantern pier oatmeal").await.expect(401);
            }
            app.log_in("mette@example.org", PASSWORD).await;
        }
    }

    async fn many_guesses_at_the_same_moment_are_counted_as_many(app) {
        app.register("mette@example.org").await;
        let guesses = (0..20).map(|_| app.try_log_in("mette@example.org", "lantern pier oatmeal"));
        let answers = futures::future::join_all(guesses).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 401).count(), 10);
        assert_eq!(answers.iter().filter(|answer| answer.status == 429).count(), 10);
    }

    async fn a_refresh_gives_a_new_pair_and_uses_up_the_old_one(app) {
        let mette = app.register("mette@example.org").await;
        let next = app.refresh(&mette.refresh).await.expect(200);
        assert_eq!(next.header("cache-control"), "no-store");
        assert_ne!(next.str("/refresh_token"), mette.refresh);
        app.me(&next.str("/access_token")).await.expect(200);
        let after = app.refresh(&next.str("/refresh_token")).await.expect(200);
        app.me(&after.str("/access_token")).await.expect(200);
    }

    async fn a_stolen_refresh_token_ends_the_family(app) {
        let mette = app.register("mette@example.org").await;
        let thief = app.refresh(&mette.refresh).await.expect(200);
        app.refresh(&mette.refresh).await.expect(401);
        app.me(&thief.str("/access_token")).await.expect(401);
        app.me(&mette.access).await.expect(401);
        app.refresh(&thief.str("/refresh_token")).await.expect(401);
        let sessions = session::Entity::find().all(app.app.db.read()).await.expect("reads");
        assert_eq!(sessions[0].end_reason, Some(entity::states::SessionEnd::TokenReuse));
        app.log_in("mette@example.org", PASSWORD).await;
    }

    async fn of_eight_refreshes_at_the_same_moment_one_wins_and_the_session_ends(app) {
        let mette = app.register("mette@example.org").await;
        let answers = futures::future::join_all((0..8).map(|_| app.refresh(&mette.refresh))).await;
        let won: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
        assert_eq!(won.len(), 1, "{answers:?}");
        assert!(answers.iter().filter(|answer| answer.status == 401).count() == 7, "{answers:?}");
        app.me(&won[0].str("/access_token")).await.expect(401);
        app.refresh(&won[0].str("/refresh_token")).await.expect(401);
    }

    async fn a_refresh_token_expires_and_is_swept_away_with_its_session(app) {
        let mette = app.register("mette@example.org").await;
        app.advance(Duration::days(30));
        app.refresh(&mette.refresh).await.expect(401);
        app.run_jobs().await;
        let sessions = session::Entity::find().all(app.app.db.read()).await.expect("reads");
        assert_eq!(sessions[0].end_reason, Some(entity::states::SessionEnd::Expired));
        assert_eq!(entity::refresh_token::Entity::find().count(app.app.db.read()).await.expect("counts"), 0);
        assert_eq!(entity::login_failure::Entity::find().count(app.app.db.read()).await.expect("counts"), 0);
    }

    async fn nonsense_is_no_refresh_token(app) {
        for token in ["", "torv_refresh_", "torv_refresh_00", "水"] {
            app.refresh(token).await.expect(401);
        }
    }

    async fn an_access_token_holds_fifteen_minutes(app) {
        let mette = app.register("mette@example.org").await;
        app.advance(Duration::seconds(899));
        app.me(&mette.access).await.expect(200);
        app.advance(Duration::seconds(1));
        let answer = app.me(&mette.access).await.expect(401);
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        let next = app.refresh(&mette.refresh).await.expect(200);
        app.me(&next.str("/access_token")).await.expect(200);
    }

    async fn logging_out_ends_all_tokens_of_the_session_alone(app) {
        let phone = app.register("mette@example.org").await;
        let laptop = app.log_in("mette@example.org", PASSWORD).await;
        app.request("DELETE", "/api/v1/sessions/current").bearer(&phone.access).send().await.expect(204);
        app.me(&phone.access).await.expect(401);
        app.refresh(&phone.refresh).await.expect(401);
        app.me(&laptop.access).await.expect(200);
    }

    async fn a_changed_password_ends_all_other_sessions(app) {
        let phone = app.register("mette@example.org").await;
        let laptop = app.log_in("mette@example.org", PASSWORD).await;
        let change = |old: &str, new: &str| {
            let body = json!({"current_password": old, "new_password": new});
            app.request("POST", "/api/v1/accounts/me/password").bearer(&laptop.access).json(&body).send()
        };
        let wrong = change("lantern pier oatmeal", "umbrella copper moth").await.expect(422);
        assert_eq!(wrong.str("/errors/0/pointer"), "/current_password");
        let weak = change(PASSWORD, "mette@example.org").await.expect(422);
        assert_eq!(weak.str("/errors/0/pointer"), "/new_password");
        change(PASSWORD, PASSWORD).await.expect(422);
        change(PASSWORD, "lantern pier oatmeal").await.expect(204);
        app.me(&laptop.access).await.expect(200);
        app.me(&phone.access).await.expect(401);
        app.refresh(&phone.refresh).await.expect(401);
        app.try_log_in("mette@example.org", PASSWORD).await.expect(401);
        app.log_in("mette@example.org", "lantern pier oatmeal").await;
    }

    async fn a_thief_of_an_access_token_can_not_guess_the_password(app) {
        let mette = app.register("mette@example.org").await;
        let body = json!({"current_password": "lantern pier oatmeal", "new_password": "umbrella copper moth"});
        let guess = || app.request("POST", "/api/v1/accounts/me/password").bearer(&mette.access).json(&body).send();
        for _ in 0..10 {
            guess().await.expect(422);
        }
        guess().await.expect(429);
    }

    async fn a_disabled_account_is_out_at_once(app) {
        let mette = app.register("mette@example.org").await;
        let sql = "UPDATE account SET disabled_at = 1 WHERE email = 'mette@example.org'";
        app.app.db.read().execute_unprepared(sql).await.expect("updates");
        app.me(&mette.access).await.expect(401);
        app.refresh(&mette.refresh).await.expect(401);
        app.try_log_in("mette@example.org", PASSWORD).await.expect(401);
    }

    async fn a_new_signing_key_logs_nobody_out(app) {
        let early = app.register("mette@example.org").await;
        app.advance(Duration::days(90) - Duration::minutes(10));
        // The refresh token is older than 30 days: log in again shortly before the key retires.
        app.refresh(&early.refresh).await.expect(401);
        let late = app.log_in("mette@example.org", PASSWORD).await;
        assert_eq!(part(&late.access, 0)["kid"], "sig_1");
        app.advance(Duration::minutes(12));
        let next = app.refresh(&late.refresh).await.expect(200);
        assert_eq!(part(&next.str("/access_token"), 0)["kid"], "sig_2");
        app.me(&late.access).await.expect(200);
        app.me(&next.str("/access_token")).await.expect(200);
        let kids = app.get("/.well-known/jwks.json").await.expect(200).json();
        assert_eq!(kids["keys"].as_array().map(Vec::len), Some(2), "{kids}");
        app.advance(Duration::minutes(20));
        let kids = app.get("/.well-known/jwks.json").await.expect(200).json();
        assert_eq!(kids["keys"].as_array().map(Vec::len), Some(1), "{kids}");
        assert_eq!(kids["keys"][0]["kid"], "sig_2");
    }

    async fn processes_that_start_together_agree_on_one_key(app) {
        let others = [app.sibling().await, app.sibling().await, app.sibling().await];
        let sets = futures::future::join_all(others.iter().map(|other| other.get("/.well-known/jwks.json"))).await;
        for set in &sets {
            assert_eq!(set.json(), sets[0].json());
        }
        assert_eq!(signing_key::Entity::find().count(app.app.db.read()).await.expect("counts"), 1);
        // This process has never looked: the unknown kid makes it look.
        let mette = others[0].register("mette@example.org").await;
        app.me(&mette.access).await.expect(200);
    }

    async fn strangers_verify_our_tokens_with_the_published_key(app) {
        let mette = app.register("mette@example.org").await;
        let answer = app.get("/.well-known/jwks.json").await.expect(200);
        assert_eq!(answer.header("cache-control"), "public, max-age=300");
        let key = answer.json()["keys"][0].clone();
        assert_eq!((&key["kty"], &key["crv"], &key["alg"]), (&json!("OKP"), &json!("Ed25519"), &json!("EdDSA")));
        assert!(key.get("d").is_none(), "no private half: {key}");
        let (signed, signature) = mette.access.rsplit_once('.').expect("three parts");
        let public = URL_SAFE_NO_PAD.decode(key["x"].as_str().expect("text")).expect("base64url");
        let public = aws_lc_rs::signature::UnparsedPublicKey::new(&aws_lc_rs::signature::ED25519, public);
        public.verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).expect("base64url")).expect("verifies");
        let claims = part(&mette.access, 1);
        assert_eq!(claims["sub"], mette.account.to_string());
        assert_eq!(claims["exp"].as_i64().zip(claims["iat"].as_i64()).map(|(exp, iat)| exp - iat), Some(900));
    }

    async fn forged_tokens_are_refused(app) {
        let mette = app.register("mette@example.org").await;
        let (header, claims) = (part(&mette.access, 0), part(&mette.access, 1));
        let change = |value: &Value, key: &str, to: Value| {
            let mut value = value.clone();
            value[key] = to;
            encoded(&value)
        };
        let none = with_part(&mette.access, 0, &change(&header, "alg", json!("none")));
        let stolen_kid = jsonwebtoken::encode(
            &jsonwebtoken::Header { kid: Some("sig_1".to_owned()), ..Default::default() },
            &claims,
            &jsonwebtoken::EncodingKey::from_secret(&[7; 32]),
        ).expect("signs");
        let forged = [
            ("alg none", none.clone()),
            ("alg none without a signature", with_part(&none, 2, "")),
            ("HS256 under our kid", stolen_kid),
            ("an unknown kid", with_part(&mette.access, 0, &change(&header, "kid", json!("sig_9")))),
            ("a kid that is SQL", with_part(&mette.access, 0, &change(&header, "kid", json!("' OR 1=1 --")))),
            ("no kid", with_part(&mette.access, 0, &encoded(&json!({"typ": "JWT", "alg": "EdDSA"})))),
            ("a later expiry", with_part(&mette.access, 1, &change(&claims, "exp", json!(99_999_999_999_i64)))),
            ("somebody else", with_part(&mette.access, 1, &change(&claims, "sub", json!("acc_019352f0a1b27c3d8e4f5061728394a5")))),
            ("a critical header", with_part(&mette.access, 0, &change(&header, "crit", json!(["exp"])))),
            ("a cut signature", mette.access[..mette.access.len() - 4].to_owned()),
            ("not three parts", "a.b".to_owned()),
            ("nothing", "x".to_owned()),
        ];
        for (what, token) in forged {
            assert_eq!(app.me(&token).await.status, 401, "{what}");
        }
        for header in ["Basic YTpi", "Bearer", "Bearer ", "水"] {
            let answer = app.request("GET", "/api/v1/accounts/me").header("authorization", header).send().await;
            assert_eq!(answer.status, 401, "{header}");
        }
        app.get("/api/v1/accounts/me").await.expect(401);
    }

    async fn a_token_of_an_older_process_with_our_key_but_another_person_is_refused(app) {
        let mette = app.register("mette@example.org").await;
        let jens = app.register("jens@example.org").await;
        let session = part(&jens.access, 1)["sid"].as_str().expect("text").parse().expect("a session id");
        let mixed = torv::people::issue_access_token(&app.app, mette.account, session).await.expect("a token");
        app.me(&mixed).await.expect(401);
    }

    async fn no_secret_is_logged(app) {
        let log = &*LOG;
        let (email, password) = ("captured@example.org", "meadow violin thirteen");
        app.submit("/api/v1/accounts", &registration(email, password)).await.expect(201);
        let person = app.log_in(email, password).await;
        app.try_log_in(email, "meadow violin fourteen").await.expect(401);
        let next = app.refresh(&person.refresh).await.expect(200);
        app.refresh(&person.refresh).await.expect(401);
        let text = log.text();
        assert!(text.contains("/api/v1/sessions/refresh answered 401"), "{text}");
        for secret in ["captured@", "meadow violin", &person.access, &person.refresh, &next.str("/refresh_token")] {
            assert!(!text.contains(secret), "{secret} is in the log");
        }
    }

    async fn the_password_is_nowhere_but_in_its_hash(app) {
        let answer = app.submit("/api/v1/accounts", &registration("mette@example.org", PASSWORD)).await.expect(201);
        assert!(!answer.text().contains("password") && !answer.text().contains("argon2"), "{}", answer.text());
        let mette = app.log_in("mette@example.org", PASSWORD).await;
        let me = app.me(&mette.access).await;
        assert!(!me.text().contains("argon2"), "{}", me.text());
        let weak = app.submit("/api/v1/accounts", &registration("jens@example.org", "seagull lamp")).await;
        assert!(!weak.text().contains("seagull"), "{}", weak.text());
        let row = account::Entity::find().one(app.app.db.read()).await.expect("reads").expect("one");
        assert!(row.password_hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        for line in audit_event::Entity::find().all(app.app.db.read()).await.expect("reads") {
            let text = format!("{line:?}");
            assert!(!text.contains("seagull") && !text.contains("mette@"), "{text}");
            assert!(!text.contains(&mette.refresh) && !text.contains(&mette.access), "{text}");
        }
        let typed = format!("{:?}", torv::people::NewAccount {
            email: "mette@example.org".to_owned(),
            password: PASSWORD.into(),
            display_name: "Mette".to_owned(),
            locale: "da".to_owned(),
        });
        assert!(!typed.contains("seagull"), "{typed}");
    }
}
