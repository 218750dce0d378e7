//! Random operations, and after each day the books have to add up.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{DAY, Probe, text};

/// The balance of every account is the sum of its transactions, and every payout is the sum of what it took.
fn assert_books(probe: &Probe, taken_by_payout: &BTreeMap<String, i64>) {
    let dump = probe.twin.dump();
    let all = |kind: &str| dump["objects"][kind].as_array().cloned().unwrap_or_default();
    let mut transactions: BTreeMap<String, i64> = BTreeMap::new();
    for transaction in all("balance_transaction") {
        let (amount, fee, net) = (&transaction["amount"], &transaction["fee"], &transaction["net"]);
        assert_eq!(amount.as_i64().unwrap() - fee.as_i64().unwrap(), net.as_i64().unwrap());
        let key = format!("{} {}", text(&transaction, "status"), text(&transaction, "currency"));
        *transactions.entry(key).or_default() += net.as_i64().unwrap();
    }
    let mut balances: BTreeMap<String, i64> = BTreeMap::new();
    for balance in dump["balances"].as_object().unwrap().values() {
        for kind in ["available", "pending"] {
            for funds in balance[kind].as_array().unwrap() {
                *balances.entry(format!("{kind} {}", text(funds, "currency"))).or_default() +=
                    funds["amount"].as_i64().unwrap();
            }
        }
    }
    transactions.retain(|_, amount| *amount != 0);
    balances.retain(|_, amount| *amount != 0);
    assert_eq!(transactions, balances);
    for charge in all("charge") {
        assert!(charge["amount_refunded"].as_i64() <= charge["amount"].as_i64(), "{charge:#}");
    }
    for transfer in all("transfer") {
        assert!(transfer["amount_reversed"].as_i64() <= transfer["amount"].as_i64(), "{transfer:#}");
    }
    assert!(taken_by_payout.values().all(|sum| *sum == 0), "{taken_by_payout:?}");
}

async fn sums_of_payouts(probe: &Probe) -> BTreeMap<String, i64> {
    let mut sums = BTreeMap::new();
    for payout in probe.get("payouts?limit=100").await.body["data"].as_array().unwrap() {
        let mut path = format!("balance_transactions?limit=100&payout={}", text(payout, "id"));
        let mut sum = 0;
        loop {
            let page = probe.get(&path).await.body;
            let data = page["data"].as_array().unwrap();
            sum += data.iter().map(|transaction| transaction["net"].as_i64().unwrap()).sum::<i64>();
            let Some(last) = data.last().filter(|_| page["has_more"] == true) else { break };
            path = format!(
                "balance_transactions?limit=100&payout={}&starting_after={}",
                text(payout, "id"),
                text(last, "id")
            );
        }
        sums.insert(text(payout, "id").to_owned(), sum);
    }
    sums
}

struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

async fn one_operation(probe: &Probe, dice: &mut Dice, provider: &str, intents: &mut Vec<Value>) {
    let amount = (100 + dice.below(20_000)).to_string();
    let known = usize::try_from(dice.below(intents.len().max(1) as u64)).unwrap();
    let intent = intents.get(known).cloned().unwrap_or_default();
    let charge = intent["latest_charge"].as_str().unwrap_or_default().to_owned();
    match dice.below(8) {
        0..=2 => {
            let currency = ["eur", "usd", "huf"][usize::try_from(dice.below(3)).unwrap()];
            let amount = if currency == "huf" { format!("2{amount:0>5}") } else { amount };
            intents.push(probe.pay(&amount, currency).await);
        }
        3 => {
            let currency = intent["currency"].as_str().unwrap_or("eur").to_owned();
            let pairs = [
                ("amount", amount.as_str()),
                ("currency", &currency),
                ("destination", provider),
                ("source_transaction", &charge),
            ];
            probe.post("transfers", &pairs).await;
        }
        4 => {
            probe.post("refunds", &[("charge", charge.as_str()), ("amount", &amount)]).await;
        }
        5 => {
            let transfers = probe.get("transfers?limit=100").await.body["data"].as_array().unwrap().clone();
            if let Some(transfer) = transfers.get(known % transfers.len().max(1)) {
                probe.post(&format!("transfers/{}/reversals", text(transfer, "id")), &[("amount", &amount)]).await;
            }
        }
        6 => {
            if let Ok(dispute) = probe.twin.control(&format!("charges/{charge}/dispute"), &Value::Null) {
                let won = json!({ "won": dice.below(2) == 0 });
                probe.twin.control(&format!("disputes/{}/resolve", text(&dispute, "id")), &won).unwrap();
            }
        }
        _ => {
            probe.twin.advance(DAY / 2);
        }
    }
}

#[tokio::test]
async fn balances_and_payouts_add_up_after_anything() {
    for seed in 1..=4 {
        let probe = Probe::start().await;
        let provider = probe.provider().await;
        let mut dice = Dice(seed);
        let mut intents = Vec::new();
        for step in 0..300 {
            one_operation(&probe, &mut dice, &provider, &mut intents).await;
            if step % 20 == 0 {
                assert_books(&probe, &sums_of_payouts(&probe).await);
            }
        }
        probe.twin.control(&format!("accounts/{provider}/drain"), &Value::Null).unwrap();
        probe.twin.advance(10 * DAY);
        assert_books(&probe, &sums_of_payouts(&probe).await);
    }
}
