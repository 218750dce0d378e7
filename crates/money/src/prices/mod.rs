//! What things cost: pure rules over whole minor units, without I/O and without the clock.
//!
//! Invariants: sums inside are 128 bits wide and checked · an exact fraction is rounded once, half to even, at the end
//! · nothing here is ever negative · parts add up to their whole.

pub mod discounts;
pub mod forecast;
pub mod fraction;
pub mod instalments;
pub mod metered;
pub mod periods;
pub mod slice;

pub use crate::chargeable::{ChargeRules, Refusal};
pub use discounts::{Item, Priced, Reduction, price};
pub use forecast::{Forecast, forecast};
pub use instalments::{Part, schedule};
pub use metered::usage_price;
pub use periods::{Change, Period, change, unused, unused_value};
pub use slice::slice_price;
