//! The sums of a document, in minor units. Tax is rounded once per category and rate, not per line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{DocumentError, Draft, MAX_TAX_ROWS};
use crate::tax::{Category, LineTax, tax_minor};

/// Taxable sum and tax of one category and rate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaxTotal {
    pub tax: LineTax,
    pub taxable_minor: i64,
    pub tax_minor: i64,
}

/// The sums, by the names of EN 16931 group BG-22.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Sum of the lines' nets.
    pub lines_minor: i64,
    pub allowances_minor: i64,
    pub charges_minor: i64,
    /// Lines less allowances plus charges: the total without tax.
    pub net_minor: i64,
    pub tax_minor: i64,
    pub gross_minor: i64,
    pub prepaid_minor: i64,
    /// Stated by the draft.
    pub rounding_minor: i64,
    /// Gross less prepaid plus rounding.
    pub due_minor: i64,
}

fn narrow(sum: i128, what: &'static str) -> Result<i64, DocumentError> {
    i64::try_from(sum).map_err(|_| DocumentError::Overflow { what })
}

pub(super) fn tax_totals(draft: &Draft) -> Result<Vec<TaxTotal>, DocumentError> {
    let lines = draft.lines.iter().map(|line| (&line.tax, i128::from(line.net_minor)));
    let allowances = draft.allowances.iter().map(|allowance| {
        let amount = i128::from(allowance.amount_minor);
        (&allowance.tax, if allowance.is_charge { amount } else { -amount })
    });
    // Highest rate first within a category.
    let mut groups: BTreeMap<(Category, std::cmp::Reverse<u32>), (&LineTax, i128)> = BTreeMap::new();
    for (tax, amount) in lines.chain(allowances) {
        let group = groups.entry((tax.category, std::cmp::Reverse(tax.rate_bps))).or_insert((tax, 0));
        if group.0.exemption != tax.exemption {
            return Err(DocumentError::DifferentReasons { category: tax.category.code() });
        }
        group.1 += amount;
    }
    if groups.len() > 1 && groups.keys().any(|(category, _)| *category == Category::OutOfScope) {
        return Err(DocumentError::OutOfScopeMixed);
    }
    if groups.len() > MAX_TAX_ROWS {
        return Err(DocumentError::TaxRowCount(groups.len()));
    }
    groups
        .into_values()
        .map(|(tax, taxable)| {
            let taxable_minor = narrow(taxable, "the taxable sum of a category")?;
            let what = "the tax of a category";
            let tax_minor = tax_minor(taxable_minor, tax.rate_bps).ok_or(DocumentError::Overflow { what })?;
            Ok(TaxTotal { tax: tax.clone(), taxable_minor, tax_minor })
        })
        .collect()
}

pub(super) fn totals(draft: &Draft, tax_totals: &[TaxTotal]) -> Result<Totals, DocumentError> {
    let lines: i128 = draft.lines.iter().map(|line| i128::from(line.net_minor)).sum();
    let sum_of = |is_charge: bool| -> i128 {
        let wanted = draft.allowances.iter().filter(|allowance| allowance.is_charge == is_charge);
        wanted.map(|allowance| i128::from(allowance.amount_minor)).sum()
    };
    let (allowances, charges) = (sum_of(false), sum_of(true));
    let net = lines - allowances + charges;
    let tax: i128 = tax_totals.iter().map(|row| i128::from(row.tax_minor)).sum();
    let gross = net + tax;
    Ok(Totals {
        lines_minor: narrow(lines, "the sum of the lines")?,
        allowances_minor: narrow(allowances, "the sum of the allowances")?,
        charges_minor: narrow(charges, "the sum of the charges")?,
        net_minor: narrow(net, "the total without tax")?,
        tax_minor: narrow(tax, "the tax total")?,
        gross_minor: narrow(gross, "the total with tax")?,
        prepaid_minor: draft.prepaid_minor,
        rounding_minor: draft.rounding_minor,
        due_minor: narrow(
            gross - i128::from(draft.prepaid_minor) + i128::from(draft.rounding_minor),
            "the amount due",
        )?,
    })
}

/// Refuses the first stated sum that is not the computed one.
pub(super) fn compare(stated: &Totals, computed: &Totals) -> Result<(), DocumentError> {
    let rows = |totals: &Totals| {
        [
            ("sum of the lines", totals.lines_minor),
            ("sum of the allowances", totals.allowances_minor),
            ("sum of the charges", totals.charges_minor),
            ("total without tax", totals.net_minor),
            ("tax total", totals.tax_minor),
            ("total with tax", totals.gross_minor),
            ("prepaid amount", totals.prepaid_minor),
            ("rounding", totals.rounding_minor),
            ("amount due", totals.due_minor),
        ]
    };
    for ((what, stated_minor), (_, computed_minor)) in rows(stated).into_iter().zip(rows(computed)) {
        if stated_minor != computed_minor {
            return Err(DocumentError::Totals { what, stated_minor, computed_minor });
        }
    }
    Ok(())
}
