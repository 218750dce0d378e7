//! Random bytes and damaged files: no panic, no endless loop, no line yielded after an error.

use proptest::{collection::vec, prelude::*, sample::Index};
use torv_bank::{PayoutReader, Reader, sniff};

use crate::support::{PAYOUTS, samples, settings};

/// Reads whatever it is to its end, and asks once more.
fn read_all(input: &[u8]) {
    sniff(input);
    for (format, _) in samples() {
        if let Ok(mut reader) = Reader::new(format, input, &settings()) {
            let count = reader.by_ref().count();
            assert!(count <= 2 * input.len() + 2);
            assert!(reader.next().is_none());
        }
    }
    if let Ok(mut reader) = PayoutReader::new(input, "order_id", &settings()) {
        assert!(reader.by_ref().count() <= input.len());
        assert!(reader.next().is_none());
    }
}

/// Pieces that mean something to one of the formats.
fn token() -> impl Strategy<Value = Vec<u8>> {
    let words: Vec<&'static [u8]> = vec![
        b"<",
        b">",
        b"</",
        b"/>",
        b"&",
        b"&amp;",
        b"&#x41;",
        b"<![CDATA[",
        b"]]>",
        b"<!--",
        b"-->",
        b"<?xml",
        b"?>",
        b"<Document xmlns='urn:iso:std:iso:20022:tech:xsd:camt.053.001.08'>",
        b"<BkToCstmrStmt>",
        b"<Stmt>",
        b"<Ntry>",
        b"</Ntry>",
        b"</Stmt>",
        b"<Amt Ccy='EUR'>",
        b"1.00",
        b"\n:20:X\n:25:1\n",
        b"\n:60F:C260101EUR1,\n",
        b"\n:61:260101C1,NTRFX//Y\n",
        b"\n:86:",
        b"166?20EREF+",
        b"/EREF/",
        b"\n:62F:C260101EUR2,\n",
        b"-}",
        b"{4:",
        b"\"",
        b";",
        b",",
        b"\r\n",
        b"\0",
        b"\xFF",
        b"\xEF\xBB\xBF",
        "Ü€".as_bytes(),
    ];
    prop_oneof![proptest::sample::select(words).prop_map(<[u8]>::to_vec), vec(any::<u8>(), 0..6)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(input in vec(any::<u8>(), 0..2000)) {
        read_all(&input);
    }

    #[test]
    fn random_tokens_never_panic(tokens in vec(token(), 0..80)) {
        read_all(&tokens.concat());
    }

    #[test]
    fn damaged_files_never_panic(
        file in any::<Index>(),
        damage in vec((any::<Index>(), 0_u8..4, token()), 1..8),
    ) {
        let mut files: Vec<&[u8]> = samples().into_iter().map(|(_, input)| input).collect();
        files.push(PAYOUTS);
        let mut input = file.get(&files).to_vec();
        for (place, kind, bytes) in damage {
            let at = place.index(input.len());
            match kind {
                0 => input.truncate(at.max(1)),
                1 => { input.splice(at..at, bytes); }
                2 => { let end = (at + bytes.len()).min(input.len()); input.splice(at..end, bytes); }
                _ => { let end = (at + 40).min(input.len()); let copy = input[at..end].to_vec(); input.splice(at..at, copy); }
            }
        }
        read_all(&input);
    }
}
