//! One document of every kind, tax mode and category, for the tests and the `samples` example.

use time::{Date, macros::date};
use torv_documents::{
    Currency, Decimal,
    model::{
        Account, AccountingTax, Address, Allowance, Contact, Document, Draft, Identifier, Kind, Line, Party, Payment,
        Period, PrecedingInvoice,
    },
    statement::{Movement, Statement, StatementParts},
    tax::{
        Category, Country, Exemption, Leg, LineTax, Nature, Role, SaleParties, Supply, TaxMode, TaxParty, plan_sale,
    },
};

pub type Problem = Box<dyn std::error::Error>;

pub const ISSUED: Date = date!(2026 - 11 - 21);
const DUE: Date = date!(2026 - 12 - 21);

pub struct Sample {
    pub name: String,
    pub document: Document,
}

pub fn euro() -> Result<Currency, Problem> {
    Ok(Currency::new("EUR", 2)?)
}

fn party(country: &str, name: &str, city: (&str, &str, &str), vat_id: Option<&str>) -> Result<Party, Problem> {
    let (street, postal_code, city) = city;
    Ok(Party {
        legal_name: name.to_owned(),
        trading_name: None,
        address: Address {
            street: street.to_owned(),
            street_2: None,
            postal_code: postal_code.to_owned(),
            city: city.to_owned(),
            region: None,
        },
        country: Country::parse(country)?,
        vat_id: vat_id.map(str::to_owned),
        legal_id: None,
        electronic_address: Some(identifier("EM", &format!("invoice@{}.example", country.to_lowercase()))),
        contact: Some(Contact {
            name: "Accounts".to_owned(),
            phone: "+45 12345678".to_owned(),
            email: format!("accounts@{}.example", country.to_lowercase()),
        }),
    })
}

fn identifier(scheme: &str, value: &str) -> Identifier {
    Identifier { scheme: Some(scheme.to_owned()), value: value.to_owned() }
}

pub fn operator() -> Result<Party, Problem> {
    let mut party = party("DK", "Torvet Drift ApS", ("Rådhuspladsen 2", "8000", "Aarhus C"), Some("DK13585628"))?;
    party.trading_name = Some("Torv".to_owned());
    party.legal_id = Some(identifier("0184", "13585628"));
    party.electronic_address = Some(identifier("0184", "DK13585628"));
    Ok(party)
}

pub fn german_provider() -> Result<Party, Problem> {
    let mut party = party("DE", "Pegel & Söhne GmbH", ("Am Strom 7", "20457", "Hamburg"), Some("DE136695976"))?;
    party.electronic_address = Some(identifier("9930", "DE136695976"));
    Ok(party)
}

pub fn taiwanese_provider() -> Result<Party, Problem> {
    let mut party =
        party("TW", "臺北水文資料股份有限公司", ("信義路五段7號", "110", "臺北市信義區"), Some("22099131"))?;
    party.legal_id = Some(Identifier { scheme: None, value: "22099131".to_owned() });
    party.electronic_address = Some(identifier("0088", "4012345000009"));
    Ok(party)
}

pub fn unregistered_provider() -> Result<Party, Problem> {
    let mut party = party("DK", "Mette Fjord", ("Skolegade 3, 2. th", "7400", "Herning"), None)?;
    party.legal_id = Some(identifier("0184", "88146328"));
    party.electronic_address = Some(identifier("0184", "DK88146328"));
    Ok(party)
}

pub fn german_buyer() -> Result<Party, Problem> {
    let mut party =
        party("DE", "Stadt Neuhafen <Amt für Geodaten>", ("Markt 1", "50667", "Köln"), Some("DE811907980"))?;
    party.electronic_address = Some(identifier("0204", "992-90009-96"));
    Ok(party)
}

pub fn danish_buyer() -> Result<Party, Problem> {
    let mut party = party("DK", "Fjordby Kommune", ("Torvet 1", "6950", "Ringkøbing"), Some("DK88146328"))?;
    party.electronic_address = Some(identifier("0184", "DK88146328"));
    Ok(party)
}

pub fn japanese_buyer() -> Result<Party, Problem> {
    let mut party = party(
        "JP",
        "福井交通データ株式会社",
        ("大手3丁目10番1号", "910-0005", "福井県福井市"),
        Some("T5835678256246"),
    )?;
    party.electronic_address = Some(identifier("0188", "5835678256246"));
    Ok(party)
}

fn consumer() -> Result<Party, Problem> {
    party("FI", "Ääri Öhman", ("Mannerheimintie 4", "00100", "Helsinki"), None)
}

fn tax_party(party: &Party) -> TaxParty {
    let is_business = party.vat_id.is_some() || party.legal_id.is_some();
    TaxParty { country: party.country, vat_id: party.vat_id.clone(), is_business }
}

pub fn line(name: &str, quantity: &str, price: &str, currency: Currency, tax: &LineTax) -> Result<Line, Problem> {
    let (quantity, price): (Decimal, Decimal) = (quantity.parse()?, price.parse()?);
    let line = Line::priced(name, quantity, price, currency, tax.clone()).ok_or("the line does not fit 64 bits")?;
    Ok(Line { description: Some("Open data licence, one year, daily updates".to_owned()), ..line })
}

pub fn standard(rate_bps: u32) -> LineTax {
    LineTax { category: Category::Standard, rate_bps, exemption: None }
}

fn untaxed(category: Category, text: &str, vatex: Option<&str>) -> LineTax {
    let exemption = Some(Exemption { text: text.to_owned(), vatex: vatex.map(str::to_owned) });
    LineTax { category, rate_bps: 0, exemption }
}

/// A draft with everything but lines filled in; paid by bank transfer.
pub fn draft(kind: Kind, number: &str, seller: Party, buyer: Party, currency: Currency) -> Draft {
    Draft {
        kind,
        number: number.to_owned(),
        issue_date: ISSUED,
        due_date: Some(DUE),
        tax_point: None,
        period: None,
        currency,
        seller,
        buyer,
        lines: Vec::new(),
        allowances: Vec::new(),
        prepaid_minor: 0,
        rounding_minor: 0,
        payment: Payment::CreditTransfer {
            account: Account::Iban("DK5000400440116243".to_owned()),
            bic: Some("NDEADKKK".to_owned()),
            holder: "Torvet Drift ApS".to_owned(),
            reference: number.to_owned(),
        },
        preceding: kind
            .is_credit()
            .then(|| PrecedingInvoice { number: "2026-0017".to_owned(), issue_date: date!(2026 - 10 - 01) }),
        buyer_reference: Some("04011000-12345-34".to_owned()),
        order_reference: Some("ord_019ab2".to_owned()),
        purchase_order: Some("PO-4711".to_owned()),
        notes: vec!["Thank you for your order.".to_owned(), "Data \"as is\" & without warranty.".to_owned()],
        accounting_tax: None,
    }
}

fn kind_of(leg: &Leg, refund: bool) -> Kind {
    match (leg.self_billed, refund) {
        (false, false) => Kind::Invoice,
        (false, true) => Kind::CreditNote,
        (true, false) => Kind::SelfBilledInvoice,
        (true, true) => Kind::SelfBilledCreditNote,
    }
}

/// Both documents of a sale of 100.01, and of its refund, in both tax modes.
fn sales() -> Result<Vec<Sample>, Problem> {
    let currency = euro()?;
    let mut samples = Vec::new();
    let providers =
        [("de", german_provider()?), ("tw", taiwanese_provider()?), ("unregistered", unregistered_provider()?)];
    let buyers =
        [("de", german_buyer()?), ("dk", danish_buyer()?), ("jp", japanese_buyer()?), ("consumer", consumer()?)];
    for (mode, mode_name) in [(TaxMode::Agent, "agent"), (TaxMode::DeemedSupplier, "deemed")] {
        for (provider_name, provider) in &providers {
            for (buyer_name, buyer) in &buyers {
                let parties = SaleParties {
                    buyer: tax_party(buyer),
                    provider: tax_party(provider),
                    operator: tax_party(&operator()?),
                };
                let supply = Supply { net_minor: 10_001, date: ISSUED, nature: Nature::Taxable };
                for leg in plan_sale(mode, &parties, &supply, 2_000)? {
                    let side = |role: Role| match role {
                        Role::Buyer => Ok(buyer.clone()),
                        Role::Provider => Ok(provider.clone()),
                        Role::Operator => operator(),
                    };
                    for refund in [false, true] {
                        let kind = kind_of(&leg, refund);
                        let mut draft = draft(kind, "2026-0042", side(leg.seller)?, side(leg.buyer)?, currency);
                        let price = currency.plain(leg.net_minor);
                        draft.lines = vec![line("Water levels", "1", &price, currency, &leg.decision.tax)?];
                        let name = format!("{mode_name}-{provider_name}-{buyer_name}-{:?}-{}", leg.seller, kind.code());
                        samples.push(Sample { name: name.to_lowercase(), document: Document::new(draft)? });
                    }
                }
            }
        }
    }
    Ok(samples)
}

/// Several rates, a discount, a charge, a metered line, a period; paid by card.
pub fn rich(kind: Kind) -> Result<Draft, Problem> {
    let currency = euro()?;
    let (full, reduced) = (standard(2500), standard(700));
    let mut draft = draft(kind, "2026-0043", operator()?, german_buyer()?, currency);
    draft.lines = vec![
        line("Requests", "123457", "0.0004", currency, &full)?,
        line("Tide tables, printed", "3", "33.335", currency, &reduced)?,
        line("Unused part of the old plan", "-1", "9.99", currency, &full)?,
        line("Support", "2.25", "120", currency, &full)?,
    ];
    draft.allowances = vec![
        Allowance { is_charge: false, reason: "Coupon SPRING".to_owned(), amount_minor: 1_001, tax: full.clone() },
        Allowance { is_charge: true, reason: "Express set-up".to_owned(), amount_minor: 250, tax: full },
    ];
    draft.period = Some(Period { from: date!(2026 - 10 - 01), to: date!(2026 - 10 - 31) });
    draft.payment = Payment::Card { network: "VISA".to_owned(), last_digits: "4242".to_owned() };
    Ok(draft)
}

fn others() -> Result<Vec<Sample>, Problem> {
    let sample = |name: &str, draft: Draft| -> Result<Sample, Problem> {
        Ok(Sample { name: name.to_owned(), document: Document::new(draft)? })
    };
    let mut samples = vec![sample("rich-380", rich(Kind::Invoice)?)?, sample("rich-381", rich(Kind::CreditNote)?)?];
    let mut paid = rich(Kind::Invoice)?;
    paid.prepaid_minor = Document::new(paid.clone())?.totals().gross_minor;
    paid.due_date = None;
    samples.push(sample("rich-paid-380", paid)?);

    // A share of 3 cents with 25 % inside: no net amount has a rounded tax that makes it 3.
    let mut rounded = draft(Kind::Invoice, "2026-0046", operator()?, danish_buyer()?, euro()?);
    rounded.lines = vec![line("Commission", "1", "0.01", euro()?, &standard(2500))?];
    rounded.rounding_minor = 1;
    samples.push(sample("rounded-380", rounded)?);

    for (code, exponent, price) in [("JPY", 0, "1501"), ("ISK", 0, "12999"), ("DKK", 2, "99.95"), ("USD", 2, "10.005")]
    {
        let currency = Currency::new(code, exponent)?;
        let mut draft = draft(Kind::Invoice, "2026-0044", operator()?, danish_buyer()?, currency);
        draft.lines = vec![line("Bus positions", "3", price, currency, &standard(2500))?];
        if code == "USD" {
            let currency = Currency::new("DKK", 2)?;
            draft.accounting_tax = Some(AccountingTax { currency, tax_minor: 5_230 });
        }
        samples.push(sample(&format!("currency-{}-380", code.to_lowercase()), draft)?);
    }

    let zero = LineTax { category: Category::ZeroRated, rate_bps: 0, exemption: None };
    let exempt = untaxed(Category::Exempt, "Exempt from VAT: education", Some("VATEX-EU-132-1I"));
    for (name, tax) in [("zero", zero), ("exempt", exempt)] {
        let currency = euro()?;
        let mut draft = draft(Kind::Invoice, "2026-0045", operator()?, danish_buyer()?, currency);
        draft.lines = vec![
            line("Course on tide data", "1", "450", currency, &tax)?,
            line("Support", "2", "120", currency, &standard(2500))?,
        ];
        draft.payment = Payment::Settled { how: "Netted in the statement of November".to_owned() };
        samples.push(sample(&format!("{name}-380"), draft)?);
    }
    Ok(samples)
}

pub fn all() -> Result<Vec<Sample>, Problem> {
    let mut samples = sales()?;
    samples.extend(others()?);
    Ok(samples)
}

/// Sixty lines, some of them long, in the scripts of all languages; for the look of the PDF.
pub fn long(language_of_names: usize) -> Result<Document, Problem> {
    let currency = euro()?;
    let names = [
        "Water levels of all gauges in the harbour, ten-minute means with quality flags and station metadata, delivered as Parquet",
        "Vandstande ved alle målere i Ærøskøbing og på Læsø, timinuttersmidler",
        "福井県内のバス位置情報(リアルタイム)、停留所時刻表および遅延統計データ一式",
        "臺北市捷運各站進出人次統計資料,含每小時分時流量與轉乘資訊(年度授權)",
    ];
    let (seller, buyer) = (operator()?, if language_of_names == 2 { japanese_buyer()? } else { danish_buyer()? });
    let mut draft = draft(Kind::Invoice, "2026-000123", seller, buyer, currency);
    draft.lines = (0..60)
        .map(|index| {
            let name = if index % 3 == 0 { names[language_of_names % names.len()] } else { "Requests" };
            let rate = [2500, 2500, 1200][index % 3];
            line(name, &format!("{}.5", index + 1), "1234.56", currency, &standard(rate))
        })
        .collect::<Result<_, _>>()?;
    Ok(Document::new(draft)?)
}

/// A short document with a reason for not charging tax, in the scripts of its parties.
pub fn short(kind: Kind, seller: Party, buyer: Party) -> Result<Document, Problem> {
    let currency = Currency::new("JPY", 0)?;
    let supply = Supply { net_minor: 128_000, date: ISSUED, nature: Nature::Taxable };
    let decision = torv_documents::tax::decide(&tax_party(&seller), &tax_party(&buyer), &supply)?;
    let mut draft = draft(kind, "2026-0007", seller, buyer, currency);
    draft.lines = vec![
        Line { unit: "MON".to_owned(), ..line("臺北捷運進出站人次", "12", "9000", currency, &decision.tax)? },
        line("福井バス位置データ", "1", "20000", currency, &decision.tax)?,
    ];
    draft.payment = Payment::CreditTransfer {
        account: Account::Local("福井銀行 本店営業部 普通 1234567".to_owned()),
        bic: None,
        holder: "トルヴ運営".to_owned(),
        reference: draft.number.clone(),
    };
    Ok(Document::new(draft)?)
}

pub fn statement(movements: u16) -> Result<Statement, Problem> {
    let currency = Currency::new("DKK", 2)?;
    let kinds = [
        ("Sale ord_019ab2, provider's share", 8_001),
        ("Refund of ord_019ab2, provider's share", -4_000),
        ("Transfer to your account", -4_001),
    ];
    let lines: Vec<Movement> = (0..movements)
        .map(|index| {
            let (description, amount_minor) = kinds[usize::from(index) % kinds.len()];
            let date =
                date!(2026 - 10 - 01) + time::Duration::days(i64::from(index) * 30 / i64::from(movements.max(1)));
            Movement {
                date,
                description: description.to_owned(),
                reference: Some(format!("ent_{index:04}")),
                amount_minor,
            }
        })
        .collect();
    let opening_minor = 1_234_567;
    let closing_minor = opening_minor + lines.iter().map(|line| line.amount_minor).sum::<i64>();
    let period = Period { from: date!(2026 - 10 - 01), to: date!(2026 - 10 - 31) };
    let (operator, provider) = (operator()?, taiwanese_provider()?);
    let number = "S-2026-10-0007".to_owned();
    let parts = StatementParts {
        number,
        issue_date: ISSUED,
        period,
        operator,
        provider,
        currency,
        opening_minor,
        lines,
        closing_minor,
    };
    Ok(Statement::new(parts)?)
}
