//! Receipts: nothing but what was signed holds, and nothing crashes who verifies.
#![no_main]

use std::sync::LazyLock;

use ed25519_dalek::{Signer as _, SigningKey};
use libfuzzer_sys::fuzz_target;
use torv_fuzz::changed;
use torv_receipt::{
    Entry, FORMAT_2, Hash, KeyId, Kind, Line, Receipt, Signature, Statement, TreeHead, TrustedKeys, is_trial_report,
    merkle, verify, verify_trial_report,
};

struct Issued {
    receipt: Vec<u8>,
    keys: TrustedKeys,
}

static ISSUED: LazyLock<Issued> = LazyLock::new(issue);

fn line(provider: u8, price_minor: i64, provider_minor: i64) -> Line {
    Line {
        listing: format!("lst_{provider}"),
        provider: format!("org_{provider}"),
        licence_hash: Hash::of(&[b"licence"]).to_string(),
        price_minor,
        provider_minor,
        operator_minor: price_minor - provider_minor,
        tax_minor: 0,
        salt: Some(Hash::of(&[b"line", &[provider]])),
    }
}

/// A receipt over two lines, the third leaf of five.
fn issue() -> Issued {
    let statement = Statement {
        kind: Kind::Sale,
        event: "order:ord_1:sale".to_owned(),
        order: "ord_1".to_owned(),
        buyer: "org_1".to_owned(),
        closed_at: "2026-11-21T10:00:00Z".to_owned(),
        currency: "EUR".to_owned(),
        total_minor: 9_000,
        providers_minor: 7_200,
        operator_minor: 1_800,
        tax_minor: 0,
        lines: vec![Entry::Open(line(2, 5_000, 4_000)), Entry::Open(line(3, 4_000, 3_200))],
        salt: Hash::of(&[b"salt"]),
    };
    let key = SigningKey::from_bytes(&[7; 32]);
    let public = key.verifying_key().to_bytes();
    let leaf = statement.leaf().expect("JSON");
    let leaves: Vec<Hash> = (0..5).map(|at| if at == 2 { leaf } else { merkle::leaf_hash(&[at]) }).collect();
    let mut hash = |node: merkle::Node| subtree(&leaves, node);
    let tree_head = TreeHead {
        day: "2026-11-21".to_owned(),
        key_id: KeyId::of(&public),
        root: merkle::root(5, &mut hash),
        signed_at: "2026-11-22T00:00:00Z".to_owned(),
        size: 5,
    };
    let signature = Signature(key.sign(&tree_head.message()).to_bytes());
    let proof = merkle::inclusion_proof(2, 5, &mut hash);
    let format = FORMAT_2.to_owned();
    let receipt = Receipt { format, statement, leaf, index: 2, proof, tree_head, signature };
    let keys = serde_json::json!({"keys": [{"key_id": KeyId::of(&public), "public_key": Hash(public).to_string(),
        "algorithm": "Ed25519"}]});
    let keys = TrustedKeys::from_json(keys.to_string().as_bytes()).expect("good keys");
    Issued { receipt: receipt.to_bytes().expect("JSON"), keys }
}

fn subtree(leaves: &[Hash], node: merkle::Node) -> Hash {
    if node.level == 0 {
        return leaves[usize::try_from(node.index).expect("small")];
    }
    let half = |index| subtree(leaves, merkle::Node { level: node.level - 1, index });
    merkle::node_hash(half(2 * node.index), half(2 * node.index + 1))
}

fuzz_target!(|data: &[u8]| {
    assert!(verify(&ISSUED.receipt, &ISSUED.keys).is_ok(), "what was issued holds");
    let Some((first, rest)) = data.split_first() else { return };
    let receipt = if first % 2 == 0 { changed(&ISSUED.receipt, rest) } else { rest.to_vec() };
    if verify(&receipt, &ISSUED.keys).is_ok() {
        assert_eq!(receipt, ISSUED.receipt, "nothing else holds");
    }
    let _ = TrustedKeys::from_json(&receipt);
    if is_trial_report(&receipt) {
        assert!(verify_trial_report(&receipt, &ISSUED.keys).is_err(), "nobody has signed a report");
    }
});
