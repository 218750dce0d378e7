//! Organisations and keys, made straight in the database: tests of other features need somebody to act.

use entity::{
    Timestamp, account, api_key,
    ids::{AccountId, ApiKeyId, OrgId, SessionId},
    membership, organization, session,
    states::{ProviderKind, Role},
};
use sea_orm::{ActiveValue::Set, EntityTrait as _};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::OnceCell;
use torv::people::api_keys::{KEY_PREFIX, hash};

use super::{Request, TestApp};

/// An organisation with an owner, and a key for each kind of member.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TestOrg {
    pub id: OrgId,
    pub owner: AccountId,
    /// A key with all scopes.
    pub key: String,
}

/// What everybody's password is in tests.
pub const PASSWORD: &str = "harbour seagull lamp";

/// Somebody who has logged in.
#[derive(Debug, Clone)]
pub struct LoggedIn {
    pub account: AccountId,
    pub access: String,
    pub refresh: String,
}

/// What an organisation may do.
#[derive(Debug, Clone, Copy)]
pub struct May {
    pub provide: Option<ProviderKind>,
    pub buy: bool,
    pub operate: bool,
}

impl TestApp {
    /// A company that may list.
    pub async fn provider(&self) -> TestOrg {
        self.org("provider", May { provide: Some(ProviderKind::Company), buy: false, operate: false }).await
    }

    /// A company that may order.
    pub async fn buyer(&self) -> TestOrg {
        self.org("buyer", May { provide: None, buy: true, operate: false }).await
    }

    /// The operator.
    pub async fn operator(&self) -> TestOrg {
        self.org("operator", May { provide: None, buy: false, operate: true }).await
    }

    /// An organisation with these possibilities; `word` goes into its names.
    pub async fn org(&self, word: &str, may: May) -> TestOrg {
        let now = Timestamp(self.clock.now());
        let (id, owner) = (OrgId::at(now.0), AccountId::at(now.0));
        let unique = id.to_string();
        let org = organization::ActiveModel {
            id: Set(id),
            slug: Set(format!("{word}-{}", &unique[unique.len() - 12..])),
            name: Set(format!("The {word} {}", &unique[unique.len() - 4..])),
            country: Set("DK".to_owned()),
            provider_kind: Set(may.provide),
            may_provide: Set(may.provide.is_some()),
            may_buy: Set(may.buy),
            may_operate: Set(may.operate),
            processor_account: Set(None),
            created_at: Set(now),
        };
        let person = account::ActiveModel {
            id: Set(owner),
            email: Set(format!("{owner}@example.org")),
            display_name: Set(format!("Owner of the {word}")),
            locale: Set("en".to_owned()),
            password_hash: Set("no password logs in here".to_owned()),
            created_at: Set(now),
            password_changed_at: Set(now),
            disabled_at: Set(None),
        };
        let member = membership::ActiveModel {
            organization_id: Set(id),
            account_id: Set(owner),
            role: Set(Role::Owner),
            created_at: Set(now),
        };
        self.app
            .db
            .write("test.org", move |tx| {
                let (org, person, member) = (org.clone(), person.clone(), member.clone());
                async move {
                    organization::Entity::insert(org).exec_without_returning(tx.conn()).await?;
                    account::Entity::insert(person).exec_without_returning(tx.conn()).await?;
                    membership::Entity::insert(member).exec_without_returning(tx.conn()).await?;
                    Ok(((), tx))
                }
            })
            .await
            .expect("the organisation is made");
        let org = TestOrg { id, owner, key: String::new() };
        let key = self.key(&org, &["read", "catalogue", "buy", "finance", "members"]).await;
        TestOrg { key, ..org }
    }

    /// A key of `org` with these scopes.
    pub async fn key(&self, org: &TestOrg, scopes: &[&str]) -> String {
        let now = self.clock.now();
        let id = ApiKeyId::at(now);
        let secret = format!("{KEY_PREFIX}{id}");
        let row = api_key::ActiveModel {
            id: Set(id),
            organization_id: Set(org.id),
            created_by: Set(org.owner),
            name: Set("test".to_owned()),
            secret_hash: Set(hash(&secret)),
            scopes: Set(json!(scopes)),
            created_at: Set(Timestamp(now)),
            expires_at: Set(Timestamp(now + time::Duration::days(366))),
            revoked_at: Set(None),
            last_used_at: Set(None),
            grant_id: Set(None),
        };
        self.app
            .db
            .write("test.key", move |tx| {
                let row = row.clone();
                async move {
                    api_key::Entity::insert(row).exec_without_returning(tx.conn()).await?;
                    Ok(((), tx))
                }
            })
            .await
            .expect("the key is made");
        secret
    }

    /// A request of `org`, by its key with all scopes.
    pub fn as_org(&self, org: &TestOrg, method: &str, path: &str) -> Request {
        self.request(method, path).bearer(&org.key)
    }

    /// Registers somebody over HTTP and logs them in.
    pub async fn register(&self, email: &str) -> LoggedIn {
        let body = json!({"email": email, "password": PASSWORD, "display_name": "Somebody", "locale": "en"});
        self.request("POST", "/api/v1/accounts").json(&body).send().await.expect(201);
        self.log_in(email, PASSWORD).await
    }

    /// Logs in over HTTP.
    pub async fn log_in(&self, email: &str, password: &str) -> LoggedIn {
        let body = json!({"email": email, "password": password});
        let answer = self.request("POST", "/api/v1/sessions").json(&body).send().await.expect(201);
        LoggedIn {
            account: answer.str("/account_id").parse().expect("an account id"),
            access: answer.str("/access_token"),
            refresh: answer.str("/refresh_token"),
        }
    }

    /// A new member of `org` with this role; returns their access token. Nobody types a password
    /// here, so that a test can have many members.
    pub async fn member(&self, org: &TestOrg, role: Role) -> String {
        self.member_account(org, role).await.1
    }

    /// As [`TestApp::member`], with the account's id.
    pub async fn member_account(&self, org: &TestOrg, role: Role) -> (AccountId, String) {
        let now = Timestamp(self.clock.now());
        let id = self.newcomer().await;
        let member = membership::ActiveModel {
            organization_id: Set(org.id),
            account_id: Set(id),
            role: Set(role),
            created_at: Set(now),
        };
        self.app
            .db
            .write("test.member", move |tx| {
                let member = member.clone();
                async move {
                    membership::Entity::insert(member).exec_without_returning(tx.conn()).await?;
                    Ok(((), tx))
                }
            })
            .await
            .expect("the member is made");
        (id, self.token(id).await)
    }

    /// An account that belongs to no organisation; its mail address is its id at `example.org`, its
    /// password [`PASSWORD`].
    pub async fn newcomer(&self) -> AccountId {
        static HASH: OnceCell<String> = OnceCell::const_new();
        let hash = HASH.get_or_init(async || self.app.passwords.hash(&PASSWORD.into()).await.expect("a hash")).await;
        let now = Timestamp(self.clock.now());
        let id = AccountId::at(now.0);
        let person = account::ActiveModel {
            id: Set(id),
            email: Set(format!("{id}@example.org")),
            display_name: Set("Somebody".to_owned()),
            locale: Set("en".to_owned()),
            password_hash: Set(hash.clone()),
            created_at: Set(now),
            password_changed_at: Set(now),
            disabled_at: Set(None),
        };
        self.app
            .db
            .write("test.newcomer", move |tx| {
                let person = person.clone();
                async move {
                    account::Entity::insert(person).exec_without_returning(tx.conn()).await?;
                    Ok(((), tx))
                }
            })
            .await
            .expect("the account is made");
        id
    }

    /// An access token of the owner of `org`.
    pub async fn owner(&self, org: &TestOrg) -> String {
        self.token(org.owner).await
    }

    /// An access token of an account, with a session of its own but without a log-in.
    pub async fn token(&self, account: AccountId) -> String {
        let now = Timestamp(self.clock.now());
        let id = SessionId::at(now.0);
        let row = session::ActiveModel {
            id: Set(id),
            account_id: Set(account),
            created_at: Set(now),
            ended_at: Set(None),
            end_reason: Set(None),
        };
        self.app
            .db
            .write("test.session", move |tx| {
                let row = row.clone();
                async move {
                    session::Entity::insert(row).exec_without_returning(tx.conn()).await?;
                    Ok(((), tx))
                }
            })
            .await
            .expect("the session is made");
        torv::people::issue_access_token(&self.app, account, id).await.expect("a token")
    }
}
