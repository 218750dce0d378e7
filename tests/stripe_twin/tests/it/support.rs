//! A twin with a client that speaks forms.

use serde_json::Value;
use stripe_twin::{Options, Twin};

pub const DAY: i64 = 86_400;

pub struct Probe {
    pub twin: Twin,
    pub http: reqwest::Client,
}

pub struct Answer {
    pub status: u16,
    pub body: Value,
    pub request_id: Option<String>,
    pub replayed: bool,
}

impl Answer {
    pub fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    pub fn id(&self) -> &str {
        text(&self.body, "id")
    }
}

pub fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("no text in {field} of {value:#}"))
}

pub fn form(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

impl Probe {
    pub async fn start() -> Self {
        Self::with(Options::default()).await
    }

    pub async fn with(options: Options) -> Self {
        let twin = Twin::start(options).await.unwrap();
        let redirect = reqwest::redirect::Policy::none();
        Self { twin, http: reqwest::Client::builder().redirect(redirect).build().unwrap() }
    }

    /// Sends a POST that may fail on the wire.
    pub async fn try_post(&self, path: &str, pairs: &[(&str, &str)], key: Option<&str>) -> reqwest::Result<Answer> {
        let mut request = self.http.post(format!("{}/v1/{path}", self.twin.url()));
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let request = request.header("Content-Type", "application/x-www-form-urlencoded").body(form(pairs));
        answer(request.header("Authorization", "Bearer sk_test_probe").send().await?).await
    }

    pub async fn post(&self, path: &str, pairs: &[(&str, &str)]) -> Answer {
        self.try_post(path, pairs, None).await.unwrap()
    }

    /// Sends a POST that must succeed.
    pub async fn make(&self, path: &str, pairs: &[(&str, &str)]) -> Value {
        let answer = self.post(path, pairs).await;
        assert_eq!(answer.status, 200, "{path}: {:#}", answer.body);
        answer.body
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.get_as(path, None).await
    }

    pub async fn get_as(&self, path: &str, account: Option<&str>) -> Answer {
        let mut request = self.http.get(format!("{}/v1/{path}", self.twin.url()));
        if let Some(account) = account {
            request = request.header("Stripe-Account", account);
        }
        let response = request.header("Authorization", "Bearer sk_test_probe").send().await.unwrap();
        answer(response).await.unwrap()
    }

    /// A connected account that may receive transfers.
    pub async fn provider(&self) -> String {
        let account =
            self.make("accounts", &[("type", "express"), ("capabilities[transfers][requested]", "true")]).await;
        let id = text(&account, "id").to_owned();
        self.twin.control(&format!("accounts/{id}/standing"), &Value::Null).unwrap();
        id
    }

    /// A paid payment intent.
    pub async fn pay(&self, amount: &str, currency: &str) -> Value {
        self.pay_with(amount, currency, "pm_card_visa").await
    }

    pub async fn pay_with(&self, amount: &str, currency: &str, method: &str) -> Value {
        let pairs = [
            ("amount", amount),
            ("currency", currency),
            ("payment_method", method),
            ("allowed_payment_method_types[]", "card"),
            ("confirm", "true"),
        ];
        self.make("payment_intents", &pairs).await
    }

    /// `available` and `pending` of the platform in a currency.
    pub async fn balance(&self, currency: &str) -> (i64, i64) {
        let balance = self.get("balance").await.body;
        let amount = |kind: &str| {
            let all = balance[kind].as_array().unwrap();
            all.iter().find(|item| item["currency"] == currency).map_or(0, |item| item["amount"].as_i64().unwrap())
        };
        (amount("available"), amount("pending"))
    }
}

async fn answer(response: reqwest::Response) -> reqwest::Result<Answer> {
    let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (status, request_id) = (response.status().as_u16(), header("request-id"));
    let replayed = header("idempotent-replayed").is_some();
    let text = response.text().await?;
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Ok(Answer { status, body, request_id, replayed })
}
