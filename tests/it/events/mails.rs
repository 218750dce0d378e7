//! Mails to members who asked for them, handed over in a real SMTP conversation.

use entity::states::{Coverage, Role};
use serde_json::{Value, json};
use time::Duration;

use crate::support::{Backend, Granted, Home, TestApp, smtp::SmtpSink};

const BACKENDS: [Backend; 2] = [Backend::Sqlite, Backend::Postgres];

/// An exchange whose mails go to a sink, somebody with a grant, and a member of theirs.
struct Post {
    app: TestApp,
    sink: SmtpSink,
    granted: Granted,
    /// The member's mail address and access token.
    address: String,
    token: String,
}

impl Post {
    async fn open(backend: Backend) -> Option<Self> {
        let (home, sink) = (Home::fresh(backend).await?, SmtpSink::start().await);
        let app = TestApp::start(home, |config| {
            config.notify.mail_smtp_url = sink.url.as_str().into();
            config.notify.mail_from = "The square <square@example.org>".to_owned();
            config.server.public_url = "https://square.example.org".to_owned();
        })
        .await;
        let granted = app.granted(Coverage::Snapshot, 1).await;
        let (account, token) = app.member_account(&granted.buyer, Role::Viewer).await;
        Some(Self { app, sink, granted, address: format!("{account}@example.org"), token })
    }

    async fn wish(&self, items: &Value) -> Value {
        let request = self.app.request("PUT", "/api/v1/notices/mail-preferences").bearer(&self.token);
        request.json(&json!({"items": items})).send().await.expect(200).json()
    }

    async fn revisions(&self, numbers: impl IntoIterator<Item = i32>) {
        self.app.revisions(self.granted.listing, numbers).await;
        self.app.run_jobs().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_is_mailed_at_once_until_a_click_ends_it() {
    for backend in BACKENDS {
        let Some(post) = Post::open(backend).await else { continue };
        post.revisions([1]).await;
        assert_eq!(post.sink.letters().len(), 0, "nobody asked");
        post.wish(&json!([{"kind": "revision.published", "mode": "immediate"}])).await;
        post.app.happens("listing.retired", post.granted.listing, json!({})).await;
        post.revisions([2]).await;
        let letters = post.sink.letters();
        assert_eq!(letters.len(), 1);
        let letter = &letters[0];
        assert!(letter.to[0].contains(&post.address) && letter.from.contains("square@example.org"), "{letter:?}");
        assert!(letter.text().contains("New data in “Bridges”"), "{}", letter.text());
        assert_eq!(letter.header("List-Unsubscribe-Post"), "List-Unsubscribe=One-Click");
        assert_eq!(letter.header("Auto-Submitted"), "auto-generated");
        assert!(letter.header("Message-ID").ends_with("@example.org>"), "{}", letter.raw);
        for secret in ["whsec_", "torv_key_", &post.token] {
            assert!(!letter.raw.contains(secret));
        }
        let link = letter.header("List-Unsubscribe");
        let path = link.trim_matches(['<', '>']).trim_start_matches("https://square.example.org").to_owned();
        let forged = path.replace(&post.granted.buyer.id.to_string(), &post.granted.provider.id.to_string());
        post.app.request("POST", &forged).send().await.expect(404);
        post.app.get(&path).await.expect(405);
        let click = post.app.request("POST", &path).header("content-type", "application/x-www-form-urlencoded");
        click.body("List-Unsubscribe=One-Click").send().await.expect(204);
        post.revisions([3]).await;
        assert_eq!(post.sink.letters().len(), 1);
        let read = post.app.request("GET", "/api/v1/notices/mail-preferences").bearer(&post.token).send().await;
        assert_eq!(read.expect(200).json(), json!({"items": []}));
        post.app.check_what_is_left().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_digest_is_one_mail_a_day() {
    for backend in BACKENDS {
        let Some(post) = Post::open(backend).await else { continue };
        let wish = json!([{"kind": "*", "mode": "daily"}, {"kind": "listing.retired", "mode": "off"}]);
        post.wish(&wish).await;
        post.revisions([1, 2, 3]).await;
        post.app.happens("listing.retired", post.granted.listing, json!({})).await;
        post.app.run_jobs().await;
        assert_eq!(post.sink.letters().len(), 0);
        post.app.advance(Duration::DAY);
        post.app.run_jobs().await;
        let letters = post.sink.letters();
        assert_eq!(letters.len(), 1);
        assert_eq!(letters[0].header("Subject"), "3 notices from the data exchange");
        assert_eq!(letters[0].text().matches("New data in").count(), 3, "{}", letters[0].text());
        post.app.advance(Duration::DAY);
        post.app.run_jobs().await;
        assert_eq!(post.sink.letters().len(), 1, "a day without news is a day without mail");
        post.app.check_what_is_left().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_busy_gets_the_mail_later_and_one_that_refuses_does_not() {
    for backend in BACKENDS {
        let Some(post) = Post::open(backend).await else { continue };
        post.wish(&json!([{"kind": "*", "mode": "immediate"}])).await;
        post.sink.answer("451 Try later");
        post.revisions([1]).await;
        post.app.run_jobs().await;
        assert_eq!((post.sink.letters().len(), post.sink.refused()), (0, 1), "not before it is due");
        post.app.advance(Duration::seconds(60));
        post.app.run_jobs().await;
        assert_eq!(post.sink.refused(), 2);
        post.sink.answer("250 Ok");
        post.app.advance(Duration::seconds(300));
        post.app.run_jobs().await;
        assert_eq!(post.sink.letters().len(), 1);
        post.sink.answer("550 No such user");
        post.revisions([2]).await;
        post.app.advance(Duration::days(3));
        post.app.run_jobs().await;
        assert_eq!((post.sink.letters().len(), post.sink.refused()), (1, 3), "refused for good");
        post.app.check_what_is_left().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_left_is_not_mailed_and_a_crash_loses_no_mail() {
    for backend in BACKENDS {
        let Some(post) = Post::open(backend).await else { continue };
        post.wish(&json!([{"kind": "*", "mode": "immediate"}])).await;
        let mut number = 0;
        loop {
            number += 1;
            post.app.revisions(post.granted.listing, [i32::try_from(number).expect("few")]).await;
            torv::notify::fan_out(&post.app.app).await.expect("tells");
            post.app.app.db.faults().arm(number - 1);
            let _ = torv::notify::queue_immediate(&post.app.app).await;
            let _ = torv::notify::post_due(&post.app.app).await;
            let (_, failed) = post.app.app.db.faults().disarm();
            post.app.advance(Duration::seconds(121));
            post.app.run_jobs().await;
            let ids: std::collections::BTreeSet<_> =
                post.sink.letters().iter().map(|letter| letter.header("Message-ID")).collect();
            assert_eq!(ids.len(), number, "each at least once");
            if !failed {
                break;
            }
        }
        assert!(number > 8, "only {number} steps");
        let before = post.sink.letters().len();
        let account = post.address.split('@').next().expect("an id").to_owned();
        let path = format!("/api/v1/organizations/{}/members/{account}", post.granted.buyer.id);
        let owner = post.app.owner(&post.granted.buyer).await;
        post.app.request("DELETE", &path).bearer(&owner).send().await.expect(204);
        post.revisions([100]).await;
        assert_eq!(post.sink.letters().len(), before);
        post.app.check_what_is_left().await;
    }
}

#[tokio::test]
async fn without_a_server_mails_are_files_and_nonsense_is_refused() {
    let home = Home::fresh(Backend::Sqlite).await.expect("SQLite is always there");
    let app = TestApp::start(home, |_| {}).await;
    let granted = app.granted(Coverage::Snapshot, 1).await;
    let token = app.member(&granted.buyer, Role::Viewer).await;
    let put = async |items: Value| {
        let request = app.request("PUT", "/api/v1/notices/mail-preferences").bearer(&token);
        request.json(&json!({"items": items})).send().await
    };
    for (items, pointer) in [
        (json!([{"kind": "none.such", "mode": "daily"}]), "/items/0/kind"),
        (json!([{"kind": "*", "mode": "daily"}, {"kind": "*", "mode": "off"}]), "/items/1/kind"),
        (json!([{"kind": "*", "mode": "hourly"}]), "/items/0/mode"),
    ] {
        assert_eq!(put(items).await.expect(422).str("/errors/0/pointer"), pointer);
    }
    app.as_org(&granted.buyer, "GET", "/api/v1/notices/mail-preferences").send().await.expect(403);
    put(json!([{"kind": "*", "mode": "immediate"}])).await.expect(200);
    app.revisions(granted.listing, [1]).await;
    app.run_jobs().await;
    let folder = app.home.path().join("mail");
    let files: Vec<_> =
        std::fs::read_dir(folder).expect("the folder").map(|file| file.expect("a file").path()).collect();
    assert_eq!(files.len(), 1);
    assert!(files[0].extension().is_some_and(|extension| extension == "eml"), "{files:?}");
    let text = std::fs::read_to_string(&files[0]).expect("a mail");
    assert!(text.contains("List-Unsubscribe: <http://") && text.contains("From: Torv <torv@localhost>"), "{text}");
    app.check_what_is_left().await;
}
