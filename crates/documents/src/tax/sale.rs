//! The two documents of one sale, in the two ways an operator can stand in it.

use serde::{Deserialize, Serialize};

use super::{Decision, Nature, Supply, TaxError, TaxParty, decide};

/// How the operator stands in a sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaxMode {
    /// The provider sells to the buyer; the operator invoices its commission to the provider.
    Agent,
    /// The operator is treated as having bought and sold (Regulation 282/2011 article 9a; CJEU C-695/20): it invoices
    /// the buyer for the whole, and writes the provider's invoice for its share by self-billing.
    DeemedSupplier,
}

/// The three who meet in a sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Buyer,
    Provider,
    Operator,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaleParties {
    pub buyer: TaxParty,
    pub provider: TaxParty,
    pub operator: TaxParty,
}

impl SaleParties {
    fn of(&self, role: Role) -> &TaxParty {
        match role {
            Role::Buyer => &self.buyer,
            Role::Provider => &self.provider,
            Role::Operator => &self.operator,
        }
    }
}

/// One document of a sale: who invoices whom over what. A refund has the same legs, as credit notes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leg {
    pub seller: Role,
    pub buyer: Role,
    /// Written by the buyer in the seller's name: kind 389, and 261 when it is taken back.
    pub self_billed: bool,
    pub net_minor: i64,
    pub decision: Decision,
}

/// The documents of a sale of `supply.net_minor`, of which the operator keeps `operator_share_minor`.
///
/// The first leg is what the buyer gets. In mode agent the second is the commission, operator to provider; as deemed
/// supplier it is the rest, provider to operator, self-billed. Both amounts are without tax.
///
/// # Errors
/// [`TaxError`]: what [`decide`] refuses, or a share outside of `0..=net`.
pub fn plan_sale(
    mode: TaxMode,
    parties: &SaleParties,
    supply: &Supply,
    operator_share_minor: i64,
) -> Result<[Leg; 2], TaxError> {
    let net_minor = supply.net_minor;
    if !(0..=net_minor).contains(&operator_share_minor) {
        return Err(TaxError::Share { share_minor: operator_share_minor, net_minor });
    }
    // The commission is a service of its own: exempt data does not make it exempt.
    let commission = Supply { net_minor: operator_share_minor, nature: Nature::Taxable, ..supply.clone() };
    let provider_share = Supply { net_minor: net_minor - operator_share_minor, ..supply.clone() };
    Ok(match mode {
        TaxMode::Agent => [
            leg(parties, Role::Provider, Role::Buyer, supply)?,
            leg(parties, Role::Operator, Role::Provider, &commission)?,
        ],
        TaxMode::DeemedSupplier => [
            leg(parties, Role::Operator, Role::Buyer, supply)?,
            Leg { self_billed: true, ..leg(parties, Role::Provider, Role::Operator, &provider_share)? },
        ],
    })
}

fn leg(parties: &SaleParties, seller: Role, buyer: Role, supply: &Supply) -> Result<Leg, TaxError> {
    let decision = decide(parties.of(seller), parties.of(buyer), supply)?;
    Ok(Leg { seller, buyer, self_billed: false, net_minor: supply.net_minor, decision })
}
