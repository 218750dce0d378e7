//! Receipts: what holds, and everything that must not.
#![expect(clippy::expect_used, reason = "a test that can't go on stops and says why")]

use ed25519_dalek::{Signer as _, SigningKey};
use torv_receipt::{
    BadKeys, Entry, FORMAT_1, FORMAT_2, Hash, KeyId, Kind, Line, Receipt, Signature, Statement, TreeHead, TrustedKeys,
    Why, merkle, verify,
};

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn key_id(key: &SigningKey) -> KeyId {
    KeyId::of(&key.verifying_key().to_bytes())
}

fn trusted(keys: &[&SigningKey]) -> TrustedKeys {
    TrustedKeys::from_json(key_file(keys).as_bytes()).expect("good keys")
}

fn key_file(keys: &[&SigningKey]) -> String {
    let hex = |key: &SigningKey| Hash(key.verifying_key().to_bytes()).to_string();
    let keys: Vec<_> = keys
        .iter()
        .map(|key| serde_json::json!({"key_id": key_id(key), "public_key": hex(key), "algorithm": "Ed25519"}))
        .collect();
    serde_json::json!({ "keys": keys }).to_string()
}

fn statement() -> Statement {
    Statement {
        kind: Kind::Sale,
        event: "order:ord_1:sale".to_owned(),
        order: "ord_1".to_owned(),
        buyer: "org_1".to_owned(),
        closed_at: "2026-11-21T10:00:00Z".to_owned(),
        currency: "EUR".to_owned(),
        total_minor: 10_001,
        providers_minor: 8_001,
        operator_minor: 2_000,
        tax_minor: 0,
        lines: vec![Entry::Open(line(2, 10_001, 8_001))],
        salt: Hash::of(&[b"salt"]),
    }
}

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

/// A sale of three providers.
fn bundle() -> Statement {
    let lines = vec![line(2, 5_000, 4_000), line(3, 4_000, 3_200), line(4, 1_001, 801)];
    Statement { lines: lines.into_iter().map(Entry::Open).collect(), ..statement() }
}

/// The same sale as receipts told it before lines had salts.
fn old_statement() -> Statement {
    let old = Line { salt: None, ..line(2, 10_001, 8_001) };
    Statement { lines: vec![Entry::Open(old)], ..statement() }
}

/// A receipt for the leaf at `index` of a tree of `size`, signed by `signer`.
fn receipt(statement: &Statement, index: u64, size: u64, signer: &SigningKey) -> Receipt {
    let leaf = statement.leaf().expect("writes");
    let leaves: Vec<Hash> =
        (0..size).map(|n| if n == index { leaf } else { merkle::leaf_hash(&n.to_be_bytes()) }).collect();
    let mut hash = |node: merkle::Node| subtree(&leaves, node);
    let tree_head = TreeHead {
        day: "2026-11-21".to_owned(),
        key_id: key_id(signer),
        root: merkle::root(size, &mut hash),
        signed_at: "2026-11-21T11:00:00Z".to_owned(),
        size,
    };
    let proof = merkle::inclusion_proof(index, size, &mut hash);
    let signature = Signature(signer.sign(&tree_head.message()).to_bytes());
    Receipt {
        format: statement.format().to_owned(),
        statement: statement.clone(),
        leaf,
        index,
        proof,
        tree_head,
        signature,
    }
}

fn subtree(leaves: &[Hash], node: merkle::Node) -> Hash {
    if node.level == 0 {
        return leaves[usize::try_from(node.index).expect("small")];
    }
    let half = |index| subtree(leaves, merkle::Node { level: node.level - 1, index });
    merkle::node_hash(half(2 * node.index), half(2 * node.index + 1))
}

fn bytes(receipt: &Receipt) -> Vec<u8> {
    receipt.to_bytes().expect("writes")
}

#[test]
fn a_receipt_holds_at_every_place_of_the_tree() {
    let keys = trusted(&[&key(1)]);
    for size in 1..=20 {
        for index in 0..size {
            let verified = verify(&bytes(&receipt(&statement(), index, size, &key(1))), &keys).expect("holds");
            assert_eq!((verified.index, verified.tree_head.size, verified.statement), (index, size, statement()));
        }
    }
}

#[test]
fn every_changed_byte_is_refused() {
    let keys = trusted(&[&key(1)]);
    for statement in
        [statement(), old_statement(), bundle().for_reader(|line| line.provider == "org_3").expect("writes")]
    {
        every_changed_byte_of(&bytes(&receipt(&statement, 4, 7, &key(1))), &keys);
    }
}

fn every_changed_byte_of(good: &[u8], keys: &TrustedKeys) {
    assert!(verify(good, keys).is_ok());
    for at in 0..good.len() {
        // Every bit alone, and bytes that keep a digit a digit or a quote a quote.
        let flips = (0..8).map(|bit| good[at] ^ (1 << bit));
        for byte in flips.chain(*b"0123456789abcdefABCDEF \"{}[],:\n") {
            let mut changed = good.to_vec();
            changed[at] = byte;
            assert!(changed == good || verify(&changed, keys).is_err(), "byte {at} as {byte}: {changed:?}");
        }
        let (mut longer, mut shorter) = (good.to_vec(), good.to_vec());
        longer.insert(at, good[at]);
        shorter.remove(at);
        assert!(verify(&longer, keys).is_err() && verify(&shorter, keys).is_err(), "byte {at} twice or not at all");
    }
    assert!(verify(&good[..good.len() - 1], keys).is_err());
    assert!(verify(&[good, b"\n"].concat(), keys).is_err());
}

#[test]
fn each_lie_is_named() {
    let keys = trusted(&[&key(1)]);
    let good = receipt(&statement(), 4, 7, &key(1));
    let why = |change: &dyn Fn(&mut Receipt)| {
        let mut receipt = good.clone();
        change(&mut receipt);
        verify(&bytes(&receipt), &keys).expect_err("refused")
    };
    assert_eq!(why(&|r| r.format = "torv-receipt/3".to_owned()), Why::UnknownFormat("torv-receipt/3".to_owned()));
    assert_eq!(why(&|r| r.format = FORMAT_1.to_owned()), Why::MixedFormats);
    assert_eq!(why(&|r| r.statement.operator_minor = 1_999), Why::DoesNotAddUp);
    assert_eq!(why(&|r| r.statement.buyer = "org_9".to_owned()), Why::OtherLeaf);
    assert_eq!(why(&|r| r.leaf = Hash::of(&[])), Why::OtherLeaf);
    assert_eq!(why(&|r| r.index = 5), Why::NotInTree);
    assert_eq!(why(&|r| r.proof.clear()), Why::NotInTree);
    assert_eq!(why(&|r| r.tree_head.size = 9), Why::NotInTree);
    assert_eq!(why(&|r| r.tree_head.day = "2026-11-22".to_owned()), Why::BadSignature);
    assert_eq!(why(&|r| r.tree_head.key_id = key_id(&key(2))), Why::UnknownKey(key_id(&key(2))));
    let pretty = serde_json::to_vec_pretty(&good).expect("writes");
    assert_eq!(verify(&pretty, &keys), Err(Why::NotCanonical));
    assert!(matches!(verify(b"{}", &keys), Err(Why::Unreadable(_))));
}

#[test]
fn a_whole_forgery_is_told_by_its_key() {
    let forged = bytes(&receipt(&statement(), 0, 1, &key(2)));
    assert_eq!(verify(&forged, &trusted(&[&key(1)])), Err(Why::UnknownKey(key_id(&key(2)))));
    assert!(verify(&forged, &trusted(&[&key(1), &key(2)])).is_ok(), "and it is no forgery where the key is trusted");
    let mut stolen_name = receipt(&statement(), 0, 1, &key(2));
    stolen_name.tree_head.key_id = key_id(&key(1));
    stolen_name.signature = Signature(key(2).sign(&stolen_name.tree_head.message()).to_bytes());
    assert_eq!(verify(&bytes(&stolen_name), &trusted(&[&key(1)])), Err(Why::BadSignature));
}

#[test]
fn lines_have_to_add_up_to_the_parts() {
    let mut statement = statement();
    statement.lines[0] = Entry::Open(line(2, 10_001, 8_002));
    assert!(!statement.adds_up());
    statement.lines.clear();
    assert!(statement.adds_up(), "a refund has no lines");
    let mut bundle = bundle();
    bundle.lines.pop();
    assert!(!bundle.adds_up(), "with nothing hidden, lines have to make up the whole");
    let mut greedy = bundle.clone();
    greedy.lines = vec![Entry::Open(line(2, 10_002, 8_000)), greedy.lines[1].clone()];
    assert!(!greedy.for_reader(|line| line.provider == "org_2").expect("writes").adds_up(), "a line above the whole");
}

#[test]
fn a_partner_proves_the_whole_sale_and_sees_its_own_line_only() {
    let keys = trusted(&[&key(1)]);
    let whole = receipt(&bundle(), 4, 7, &key(1));
    assert_eq!(whole.format, FORMAT_2);
    verify(&bytes(&whole), &keys).expect("the buyer's");
    for own in ["org_2", "org_3", "org_4"] {
        let statement = bundle().for_reader(|line| line.provider == own).expect("writes");
        assert_eq!(statement.leaf().expect("writes"), whole.leaf, "the same leaf of the same tree");
        let seen = bytes(&Receipt { statement, ..whole.clone() });
        let verified = verify(&seen, &keys).expect("holds");
        assert_eq!(verified.statement.open_lines().map(|line| line.provider.as_str()).collect::<Vec<_>>(), [own]);
        let text = String::from_utf8(seen).expect("text");
        for other in bundle().open_lines().filter(|line| line.provider != own) {
            for told in [&other.provider, &other.listing, &other.salt.expect("salted").to_string()] {
                assert!(!text.contains(told.as_str()), "{own} reads {told}");
            }
        }
    }
    let another = Entry::Open(Line { salt: Some(Hash::of(&[b"another"])), ..line(3, 4_000, 3_200) });
    let mut forged = bundle();
    forged.lines[1] = another;
    assert_ne!(forged.leaf().expect("writes"), whole.leaf, "a line is bound to its salt");
}

#[test]
fn receipts_of_the_first_format_hold_for_ever() {
    let keys = trusted(&[&key(1)]);
    let old = receipt(&old_statement(), 2, 5, &key(1));
    assert_eq!(old.format, FORMAT_1);
    assert!(!String::from_utf8(bytes(&old)).expect("text").contains("null"), "no word of a salt it never had");
    verify(&bytes(&old), &keys).expect("holds");
    let pinned = "eada5b88e0451602";
    assert!(old.leaf.to_string().starts_with(pinned), "{}", old.leaf);
    assert_eq!(old_statement().for_reader(|_| false).expect("writes"), old_statement(), "nothing of it can be hidden");
}

#[test]
fn a_file_of_keys_is_taken_whole_or_not_at_all() {
    let file = key_file(&[&key(1), &key(2)]);
    assert_eq!(TrustedKeys::from_json(file.as_bytes()).expect("good").ids().count(), 2);
    let renamed = file.replace(&key_id(&key(2)).0, &key_id(&key(3)).0);
    assert_eq!(TrustedKeys::from_json(renamed.as_bytes()).err(), Some(BadKeys::WrongId(key_id(&key(3)))));
    assert_eq!(TrustedKeys::from_json(b"{\"keys\": []}").err(), Some(BadKeys::Empty));
    let short = r#"{"keys": [{"key_id": "a", "public_key": "00"}]}"#;
    assert_eq!(TrustedKeys::from_json(short.as_bytes()).err(), Some(BadKeys::NotAKey(KeyId("a".to_owned()))));
    assert!(matches!(TrustedKeys::from_json(b"[]"), Err(BadKeys::Shape(_))));
}
