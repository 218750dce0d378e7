//! The bytes of the PDF, and the text another program reads out of it.

use std::process::Command;

use torv_documents::{
    model::{Document, Kind},
    pdf::{self, Language},
};

use crate::samples;

/// The text of a PDF by poppler's `pdftotext`, each page ended by a form feed; `None`, and said so, where that is not
/// installed. In CI it must be.
fn text_of(pdf: &[u8]) -> Option<String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), pdf).unwrap();
    match Command::new("pdftotext").arg("-layout").arg(file.path()).arg("-").output() {
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            Some(String::from_utf8(output.stdout).unwrap())
        }
        Err(error) if std::env::var("CI").is_ok_and(|ci| ci == "true") => panic!("pdftotext is needed in CI: {error}"),
        Err(error) => {
            eprintln!("SKIPPED: pdftotext did not start ({error}); install poppler-utils to check the text of PDFs");
            None
        }
    }
}

#[test]
fn equal_documents_give_equal_bytes() {
    for language in Language::ALL {
        let render = || pdf::render(&samples::long(1).unwrap(), language).unwrap();
        assert!(render() == render(), "{language:?}");
    }
}

#[test]
fn names_amounts_and_reasons_can_be_copied_in_every_language() {
    for language in Language::ALL {
        let seller = samples::taiwanese_provider().unwrap();
        let document = samples::short(Kind::Invoice, seller, samples::japanese_buyer().unwrap()).unwrap();
        let Some(text) = text_of(&pdf::render(&document, language).unwrap()) else { return };
        for part in ["臺北水文資料股份有限公司", "福井交通データ株式会社", "福井バス位置データ", "JPY 128", "2026-0007"]
        {
            assert!(text.contains(part), "{language:?} lacks {part}:\n{text}");
        }
        let heading =
            ["Invoice", "Faktura", "請求書", "帳單"][Language::ALL.iter().position(|l| *l == language).unwrap()];
        assert!(text.contains(heading), "{language:?} lacks {heading}:\n{text}");
    }
}

#[test]
fn european_names_and_the_legal_words_of_self_billing_show() {
    let german = samples::german_provider().unwrap();
    let document = samples::short(Kind::SelfBilledInvoice, german, samples::danish_buyer().unwrap()).unwrap();
    let Some(text) = text_of(&pdf::render(&document, Language::Danish).unwrap()) else { return };
    for part in ["Pegel & Söhne GmbH", "Ringkøbing", "Selvfakturering", "Omvendt betalingspligt", "21. november 2026"]
    {
        assert!(text.contains(part), "lacks {part}:\n{text}");
    }
}

#[test]
fn every_page_is_numbered_and_takes_over_the_sum_of_the_one_before() {
    let document = samples::long(0).unwrap();
    let Some(text) = text_of(&pdf::render(&document, Language::English).unwrap()) else { return };
    let pages: Vec<&str> = text.split_terminator('\u{c}').collect();
    assert!(pages.len() > 2, "{}", pages.len());
    let figure = |page: &str, label: &str| {
        let line = page.lines().find(|line| line.contains(label)).map(str::to_owned);
        line.map(|line| line.split_whitespace().last().unwrap().replace([',', '.'], "").parse::<i64>().unwrap())
    };
    let (mut line, mut sum) = (0, 0);
    for (index, page) in pages.iter().enumerate() {
        assert!(page.contains(&format!("Page {} of {}", index + 1, pages.len())));
        let has_lines = page.contains("Description");
        assert_eq!(figure(page, "Brought forward"), (index > 0 && has_lines).then_some(sum), "page {}", index + 1);
        // The lines of this page are those up to the carried sum.
        let Some(carried) = figure(page, "Carried forward") else { continue };
        while sum < carried {
            sum += document.draft().lines[line].net_minor;
            line += 1;
        }
        assert_eq!(sum, carried, "page {}", index + 1);
    }
    assert!(text.contains("2,296,281.60"), "the sum of the lines");
}

#[test]
fn the_metadata_name_the_document_its_issuer_and_its_language() {
    let document = Document::new(samples::rich(Kind::Invoice).unwrap()).unwrap();
    let bytes = pdf::render(&document, Language::Danish).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("/Lang (da)") || text.contains("/Lang(da)"), "the language is missing");
    for part in ["Faktura 2026-0043", "Torvet Drift ApS"] {
        assert!(text.contains(part), "{part} is missing");
    }
}
