//! The exchange the operations are tried on, and those who try them.

use entity::{
    dispute,
    ids::AccountId,
    states::{ProviderKind, Role},
};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde_json::{Value, json};
use time::Duration;

use super::{recurring::Recurring, sharing::Shared};
use crate::support::{May, TestApp, TestOrg, sales::money};

/// Who tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Anonymous,
    GarbageToken,
    ExpiredToken,
    WithoutOrganization,
    Member(Role),
    StrangerOwner,
    KeyToRead,
    KeyToAll,
    OperatorOwner,
    OperatorViewer,
}

impl Kind {
    /// Belongs to the organisation that owns what is tried.
    pub fn is_of_home(self) -> bool {
        matches!(self, Self::Member(_) | Self::KeyToRead | Self::KeyToAll)
    }
}

/// Every kind of actor, in the order of the columns.
pub const ACTORS: &[Kind] = &[
    Kind::Anonymous,
    Kind::GarbageToken,
    Kind::ExpiredToken,
    Kind::WithoutOrganization,
    Kind::Member(Role::Owner),
    Kind::Member(Role::Editor),
    Kind::Member(Role::Buyer),
    Kind::Member(Role::Finance),
    Kind::Member(Role::Viewer),
    Kind::StrangerOwner,
    Kind::KeyToRead,
    Kind::KeyToAll,
    Kind::OperatorOwner,
    Kind::OperatorViewer,
];

/// Somebody who tries, with their credentials.
#[derive(Debug, Clone)]
pub struct Acting {
    pub token: Option<String>,
    pub account: Option<AccountId>,
}

/// One of everything, all of it of `home`.
pub struct World {
    /// Owns what is tried; lists and buys.
    pub home: TestOrg,
    /// Stands on the other side of the trades of `home`.
    pub partner: TestOrg,
    stranger: TestOrg,
    operator: TestOrg,
    expired: String,
    key_to_read: String,
    /// A published listing of `home`, and what belongs to it.
    pub listing: String,
    pub revision: String,
    pub file: String,
    pub offer: Value,
    /// A listing of `home` that nobody else sees yet, and what belongs to it.
    pub draft: String,
    pub draft_revision: String,
    pub draft_file: String,
    pub draft_offer: String,
    /// An offer of `home` that is private to `partner`.
    pub private_offer: String,
    /// A licence that `home` wrote.
    pub licence: String,
    /// What `home` may order: at a price, and once `partner` approves.
    pub paid_offer: Value,
    pub approved_offer: Value,
    /// A completed order of `home`, its grant, and a link to its file.
    pub order: String,
    pub grant: String,
    pub link: String,
    /// What `home` was paid out, and a reconciliation of the operator.
    pub payout: String,
    /// An invoice of `home` to `partner`.
    pub document: String,
    pub reconciliation: String,
    /// A verification the operator asked for.
    pub verification: String,
    /// A refund that `home` asks for, disputes about its sales, and a debt of it that is to be given up.
    pub refund: String,
    pub dispute: String,
    pub other_dispute: String,
    pub write_off: String,
    /// What is charged and counted again and again.
    pub recurring: Recurring,
    /// What the operator brought in from its bank.
    pub bank: BankWorld,
    /// A table that `home` holds a grant on.
    pub shared: Shared,
    /// A webhook of the processor: its signature and its body.
    pub webhook: (String, String),
}

/// What the invoices of `home` say of it.
pub fn tax_profile() -> Value {
    json!({
        "legal_name": "Home", "country": "DK", "is_business": true, "legal_id": {"value": "13585628"},
        "address": {"street": "Torvet 1", "postal_code": "8000", "city": "Aarhus"}
    })
}

async fn document_of(app: &TestApp, home: &TestOrg, partner: &TestOrg) -> String {
    let page = app.as_org(home, "GET", "/api/v1/documents").send().await.expect(200).json();
    let items = page["items"].as_array().expect("items");
    let to_partner = items.iter().find(|item| item["buyer_id"] == json!(partner.id)).expect("an invoice");
    to_partner["id"].as_str().expect("an id").to_owned()
}

impl World {
    #[expect(
        clippy::too_many_lines,
        reason = "each thing of the world is made and named once, in the order they need each other"
    )]
    pub async fn build(app: &TestApp) -> Self {
        let trader = May { provide: Some(ProviderKind::Company), buy: true, operate: false };
        let home = app.org("home", trader).await;
        let expired = app.owner(&home).await;
        let key_to_read = app.key(&home, &["read"]).await;
        let (partner, stranger) = (app.org("partner", trader).await, app.org("stranger", trader).await);
        let operator = app.operator().await;
        let path = format!("/api/v1/organizations/{}/tax-profile", home.id);
        app.as_org(&home, "PUT", &path).json(&tax_profile()).send().await.expect(200);
        let (payout, write_off) = paid_out(app, &home, &partner, &operator).await;
        let document = document_of(app, &home, &partner).await;
        let verification = app.as_org(&operator, "POST", "/api/v1/verifications").send().await.expect(202).str("/id");
        app.run_jobs().await;
        let reconciliation = app
            .as_org(&operator, "POST", "/api/v1/reconciliations")
            .json(&json!({}))
            .send()
            .await
            .expect(201)
            .str("/id");

        let bank = bank(app, &operator).await;
        let listing = app.published(&home, &json!({})).await;
        let revision = current_revision(app, &home, &listing).await;
        let file = first_file(app, &home, &revision).await;
        let offer =
            offer(app, &home, &listing, &json!({"kind": "free", "licence": "CC-BY-4.0", "approval_required": true}))
                .await;
        let until = entity::Timestamp(app.clock.now() + Duration::days(300));
        let private = json!({
            "kind": "free", "licence": "CC-BY-4.0", "valid_until": until, "plan": {"private_to": partner.id}
        });
        let private_offer = text(&self::offer(app, &home, &listing, &private).await, "/id");
        let draft = app.draft(&home, &json!({})).await;
        let draft_revision = app.open_revision(&home, &draft).await;
        let draft_file = app.upload(&home, &draft_revision, "levels.csv", "a,b\n1,2\n").await.expect(201).str("/id");
        let draft_offer = free_offer(app, &home, &draft).await;

        let sold = app.published(&partner, &json!({})).await;
        let price = json!({"kind": "one_off", "price": {"minor": 4_900, "currency": "DKK"}, "licence_id": licence(app, &partner).await});
        let paid_offer = self::offer(app, &partner, &sold, &price).await;
        let approval = json!({"kind": "free", "licence": "CC-BY-4.0", "approval_required": true});
        let approved_offer = self::offer(app, &partner, &sold, &approval).await;
        let bought = order(app, &home, &paid_offer, Some("pm_card_visa")).await;
        app.run_jobs().await;
        let webhook = app.sandbox.due_webhooks().await.expect("webhooks").remove(0);
        let (order, grant) = (text(&bought, "/id"), text(&bought, "/grant_id"));
        let refund = super::probes::asked_back(app, &home, &order).await;
        let (dispute, other_dispute) = (disputed(app, &home, &partner).await, disputed(app, &home, &partner).await);
        let files = app.as_org(&home, "GET", &format!("/api/v1/grants/{grant}/files")).send().await.expect(200);

        let recurring = Recurring::build(app, (&home, &listing), (&partner, &sold)).await;
        let shared = Shared::build(app, &home, &partner).await;

        Self {
            licence: licence(app, &home).await,
            home,
            partner,
            stranger,
            operator,
            expired,
            key_to_read,
            listing,
            revision,
            file,
            offer,
            draft,
            draft_revision,
            draft_file,
            draft_offer,
            private_offer,
            paid_offer,
            approved_offer,
            order,
            grant,
            link: files.str("/items/0/url"),
            shared,
            payout,
            document,
            reconciliation,
            verification,
            refund,
            dispute,
            other_dispute,
            write_off,
            recurring,
            bank,
            webhook: (webhook.signature.clone(), webhook.body.clone()),
        }
    }

    /// A new actor of this kind, so that none carries what another did.
    pub async fn actor(&self, app: &TestApp, kind: Kind) -> Acting {
        let member = async |org: &TestOrg, role| {
            let (account, token) = app.member_account(org, role).await;
            Acting { token: Some(token), account: Some(account) }
        };
        let only = |token: String| Acting { token: Some(token), account: None };
        match kind {
            Kind::Anonymous => Acting { token: None, account: None },
            Kind::GarbageToken => only("garbage".to_owned()),
            Kind::ExpiredToken => only(self.expired.clone()),
            Kind::WithoutOrganization => {
                let account = app.newcomer().await;
                Acting { token: Some(app.token(account).await), account: Some(account) }
            }
            Kind::Member(role) => member(&self.home, role).await,
            Kind::StrangerOwner => member(&self.stranger, Role::Owner).await,
            Kind::KeyToRead => only(self.key_to_read.clone()),
            Kind::KeyToAll => only(self.home.key.clone()),
            Kind::OperatorOwner => member(&self.operator, Role::Owner).await,
            Kind::OperatorViewer => member(&self.operator, Role::Viewer).await,
        }
    }
}

/// A bank account of the operator with a line that nothing explains.
pub struct BankWorld {
    pub statement: String,
    pub report: String,
    pub import: String,
    pub line: String,
    pub exception: String,
}

async fn bank(app: &TestApp, operator: &TestOrg) -> BankWorld {
    let statement = ":20:S1\n:25:4711\n:28C:1/1\n:60F:C261102EUR10,00\n:61:2611031103C2,50NTRFNONREF//B1\n:86:Unknown\n:62F:C261103EUR12,50\n-";
    let report = "automatic_payout_id,balance_transaction_id,currency,gross,fee,net,reporting_category\npo_1,txn_1,eur,1.00,0.10,0.90,charge\n";
    let path = |rest: &str| format!("/api/v1/settlement/{rest}");
    let account = json!({"name": "main", "number": "4711", "currency": "EUR"});
    app.as_org(operator, "POST", &path("bank-accounts")).json(&account).send().await.expect(201);
    let import =
        app.as_org(operator, "POST", &path("bank-statements")).body(statement).send().await.expect(201).str("/id");
    app.run_jobs().await;
    let first = async |list: &str| app.as_org(operator, "GET", &path(list)).send().await.expect(200).str("/items/0/id");
    let exception = first("exceptions?class=unexplained_bank_line").await;
    BankWorld {
        import,
        line: first("bank-lines").await,
        exception,
        statement: statement.to_owned(),
        report: report.to_owned(),
    }
}

/// A text of a JSON value, by JSON pointer.
pub fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer} in {value}")).to_owned()
}

/// A sale of `home` that its buyer's bank disputes; returns the dispute.
async fn disputed(app: &TestApp, home: &TestOrg, buyer: &TestOrg) -> String {
    let sold = app.sell(home, buyer, money(700, "EUR")).await;
    let charge = crate::support::charge_of(sold.payment);
    app.sandbox.dispute(&charge, sold.gross, false).await.expect("disputes");
    app.run_jobs().await;
    let row = dispute::Entity::find().filter(dispute::Column::OrderId.eq(sold.order)).one(app.app.db.read()).await;
    row.expect("reads").expect("heard of").id.to_string()
}

/// A sale of `home` whose share was paid out, a week later, and that is refunded after `home` has emptied
/// its account; returns the payout and a write-off of the debt that somebody asks for.
async fn paid_out(app: &TestApp, home: &TestOrg, buyer: &TestOrg, operator: &TestOrg) -> (String, String) {
    let sold = app.sell(home, buyer, money(10_001, "EUR")).await;
    for days in [2, 6] {
        app.run_jobs().await;
        app.advance(Duration::days(days));
    }
    app.run_jobs().await;
    let run = json!({"currency": "EUR", "minimum_minor": 1, "recipients": "providers"});
    let request = app.as_org(operator, "POST", "/api/v1/payout-runs").header("idempotency-key", fresh());
    let made = request.json(&run).send().await.expect(201);
    app.run_jobs().await;
    let account = app.app.payments.open_account(home.id, "DK").await.expect("opens");
    app.sandbox.withdraw(&account, sold.share).await.expect("takes out");
    let path = format!("/api/v1/orders/{}/refunds/issue", sold.order);
    let whole = json!({"reason": "It is empty."});
    let owner = app.owner(operator).await;
    let post = |path: &str, body: &Value| {
        app.request("POST", path).bearer(owner.clone()).header("idempotency-key", fresh()).json(body).send()
    };
    post(&path, &whole).await.expect(201);
    app.run_jobs().await;
    let wanted = json!({"organization_id": home.id, "order_id": sold.order, "reason": "Wound up."});
    let write_off = post("/api/v1/write-offs", &wanted).await.expect(201).str("/id");
    (made.str("/payouts/0/id"), write_off)
}

async fn current_revision(app: &TestApp, org: &TestOrg, listing: &str) -> String {
    let path = format!("/api/v1/listings/{listing}");
    app.as_org(org, "GET", &path).send().await.expect(200).str("/current_revision/id")
}

async fn first_file(app: &TestApp, org: &TestOrg, revision: &str) -> String {
    app.as_org(org, "GET", &format!("/api/v1/revisions/{revision}")).send().await.expect(200).str("/files/0/id")
}

/// A licence that `org` writes.
pub async fn licence(app: &TestApp, org: &TestOrg) -> String {
    let made = app.as_org(org, "POST", "/api/v1/licences").json(&json!({"preset": "internal_use"})).send().await;
    made.expect(201).str("/licence/id")
}

pub async fn offer(app: &TestApp, org: &TestOrg, listing: &str, body: &Value) -> Value {
    app.as_org(org, "POST", &format!("/api/v1/listings/{listing}/offers")).json(body).send().await.expect(201).json()
}

/// A free offer on a listing; returns its id.
pub async fn free_offer(app: &TestApp, org: &TestOrg, listing: &str) -> String {
    text(&offer(app, org, listing, &json!({"kind": "free", "licence": "CC-BY-4.0"})).await, "/id")
}

/// What has to be said to order an offer.
pub fn order_in(offer: &Value, payment_method: Option<&str>) -> Value {
    json!({
        "offer_id": offer["id"], "licence_hash": offer["licence"]["hash"], "use_case": "Warn of floods",
        "payment_method": payment_method,
    })
}

/// Places an order.
pub async fn order(app: &TestApp, buyer: &TestOrg, offer: &Value, payment_method: Option<&str>) -> Value {
    let request = app.as_org(buyer, "POST", "/api/v1/orders").header("idempotency-key", fresh());
    request.json(&order_in(offer, payment_method)).send().await.expect(201).json()
}

/// A word that was not used before.
pub fn fresh() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("fresh-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}
