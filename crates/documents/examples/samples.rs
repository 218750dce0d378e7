//! Writes every sample as XML under each profile that has a form for it, and PDFs in every language, for a validator or
//! a pair of eyes: `cargo run -p torv-documents --example samples -- DIR`.

#[path = "../tests/it/samples.rs"]
mod samples;

use std::{env, fs, path::Path};

use samples::Problem;
use torv_documents::{
    model::Kind,
    pdf::{self, Language},
    ubl::{self, Profile},
};

const PROFILES: [(Profile, &str); 3] =
    [(Profile::En16931, "en16931"), (Profile::PeppolBis3, "peppol"), (Profile::XRechnung, "xrechnung")];

fn main() -> Result<(), Problem> {
    let folder = env::args().nth(1).ok_or("usage: samples DIR")?;
    let folder = Path::new(&folder);
    fs::create_dir_all(folder)?;
    for sample in samples::all()? {
        for (profile, name) in PROFILES {
            // A profile without a form for the document says so; the tests check which.
            if let Ok(xml) = ubl::write(&sample.document, profile) {
                fs::write(folder.join(format!("{}.{name}.xml", sample.name)), xml)?;
            }
        }
    }
    for (index, language) in Language::ALL.into_iter().enumerate() {
        let save = |name: &str, bytes: Vec<u8>| fs::write(folder.join(format!("{name}.{}.pdf", language.tag())), bytes);
        let (taiwanese, japanese) = (samples::taiwanese_provider()?, samples::japanese_buyer()?);
        let kinds =
            [Kind::Invoice, Kind::CreditNote, Kind::SelfBilledInvoice, Kind::SelfBilledCreditNote, Kind::ProForma];
        for kind in kinds {
            let document = samples::short(kind, taiwanese.clone(), japanese.clone())?;
            save(&format!("short-{}", kind.code()), pdf::render(&document, language)?)?;
        }
        let rich = torv_documents::model::Document::new(samples::rich(Kind::Invoice)?)?;
        save("rich", pdf::render(&rich, language)?)?;
        save("long", pdf::render(&samples::long(index)?, language)?)?;
        save("statement", pdf::render_statement(&samples::statement(90)?, language)?)?;
        for sample in samples::all()?.into_iter().filter(|sample| sample.name == "agent-de-de-operator-380") {
            save("reverse-charge", pdf::render(&sample.document, language)?)?;
        }
    }
    Ok(())
}
