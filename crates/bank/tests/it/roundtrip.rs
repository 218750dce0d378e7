//! Random statements, written in every format, are read back as they were.

use proptest::{collection::vec, option, prelude::*};
use time::{Date, Duration, macros::date};
use torv_bank::{BalanceCheck, BankLine, CsvProfile, Format, LineStatus};

use crate::{
    support::{IBAN, csv, ends, lines, read},
    writers::{self, Account, Entry},
};

/// Words as they fit into every format: an MT940 line may not begin with a colon or a hyphen.
fn text(words: usize) -> impl Strategy<Value = String> {
    vec("[a-z0-9üøß&<>;,\"'.()]{1,9}", 1..=words)
        .prop_map(|words| words.join(" "))
        .prop_filter("fillers mean that nothing was given", |text| {
            !matches!(text.as_str(), "none" | "nonref" | "noref" | "notprovided")
        })
}

fn day() -> impl Strategy<Value = Date> {
    (0_i64..50).prop_map(|days| date!(2026 - 01 - 01) + Duration::days(days))
}

fn amount() -> impl Strategy<Value = i64> {
    prop_oneof![Just(-250_i64), 1_i64..1000, -1_000_000_000_i64..1_000_000_000]
        .prop_filter("some money", |minor| *minor != 0)
}

fn entry() -> impl Strategy<Value = Entry> {
    let texts = (option::of("[A-Z0-9]{1,16}"), option::of("E[A-Z0-9]{1,20}"), option::of("M[A-Z0-9]{1,20}"));
    let party = (option::of(text(5)), option::of(Just("NL84TORV0000012345".to_owned())), option::of(text(16)));
    (day(), -3_i64..=3, amount(), texts, party).prop_map(|(booking_date, days, amount_minor, texts, party)| Entry {
        booking_date,
        value_date: booking_date + Duration::days(days),
        amount_minor,
        reference: texts.0.filter(|text| !matches!(text.as_str(), "NONE" | "NONREF" | "NOREF")),
        end_to_end_id: texts.1,
        mandate_id: texts.2,
        name: party.0,
        account: party.1,
        text: party.2,
    })
}

fn account() -> impl Strategy<Value = Account> {
    let currency = prop_oneof![Just(("EUR", 2)), Just(("JPY", 0)), Just(("KWD", 3))];
    (currency, -1_000_000_i64..1_000_000).prop_map(|((currency, exponent), opening_minor)| Account {
        iban: IBAN,
        currency,
        exponent,
        opening_minor,
    })
}

fn is_read_back(line: &BankLine, entry: &Entry, account: &Account) {
    assert_eq!(line.account.as_str(), account.iban);
    assert_eq!(line.currency.code(), account.currency);
    assert_eq!(line.amount_minor, entry.amount_minor);
    assert_eq!((line.booking_date, line.value_date), (entry.booking_date, Some(entry.value_date)));
    assert_eq!(line.bank_reference, entry.reference);
    assert_eq!(line.party.end_to_end_id, entry.end_to_end_id);
    assert_eq!(line.party.mandate_id, entry.mandate_id);
    assert_eq!(line.party.counterparty_name, entry.name);
    assert_eq!(line.party.counterparty_account, entry.account);
    assert_eq!(line.party.remittance, entry.text);
    assert!(line.status == LineStatus::Booked && !line.is_reversal && line.details.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_format_reads_back_what_was_written(account in account(), mut entries in vec(entry(), 1..12), copies in 0_usize..3) {
        // Equal lines have to stay apart.
        for _ in 0..copies {
            entries.push(entries[0].clone());
        }
        // A table of payments and their returns reads the same in both directions of time.
        let reads_both_ways = entries.windows(2).all(|pair| pair[0].amount_minor == -pair[1].amount_minor);
        prop_assume!(entries.len() == 1 || !reads_both_ways);
        let mut files: Vec<(Format, Vec<u8>)> = Vec::new();
        for version in ["02", "08"] {
            let mut file = Vec::new();
            writers::camt(&mut file, version, &account, entries.iter().cloned()).expect("written");
            files.push((Format::Camt053, file));
        }
        let mut file = Vec::new();
        writers::mt940(&mut file, &account, entries.iter().cloned()).expect("written");
        files.push((Format::Mt940, file));
        let mut file = Vec::new();
        writers::danish_csv(&mut file, &account, entries.iter().cloned()).expect("written");
        files.push((csv(CsvProfile::danish_example()), file));

        let mut keys_of_first = None;
        for (format, file) in files {
            let records = read(format, &file);
            let found = lines(&records);
            prop_assert_eq!(found.len(), entries.len());
            for (line, entry) in found.iter().zip(&entries) {
                is_read_back(line, entry, &account);
            }
            let end = &ends(&records)[0];
            prop_assert_eq!(end.opening.map(|balance| balance.minor), Some(account.opening_minor));
            prop_assert_eq!(end.check, BalanceCheck::Agrees);
            let keys: Vec<_> = found.into_iter().map(|line| line.key).collect();
            let distinct: std::collections::BTreeSet<_> = keys.iter().collect();
            prop_assert_eq!(distinct.len(), keys.len());
            prop_assert_eq!(&keys, keys_of_first.get_or_insert(keys.clone()));
        }
    }
}
