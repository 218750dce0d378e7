//! What grants open, seen as tables: the Parquet files that were made of the revisions that a grant covers.
//!
//! A share is what one grant opens, a table is a file of one name through all revisions, its version is the number
//! of the revision. Delta Sharing, rows and features read the same tables through here, so that each asks
//! [`super::downloads`] in the same way what a grant covers.
//!
//! Reading: `footer` says which columns there are · `filter` which row groups can hold wanted rows · `scan`
//! fetches and decodes them, `sinks` keeps what is wanted · `cell` and `wkb` turn single values into JSON.

pub(in crate::delivery) mod cell;
pub(in crate::delivery) mod filter;
mod footer;
mod names;
mod reader;
pub(in crate::delivery) mod scan;
mod shares;
mod sinks;
mod store;
pub(in crate::delivery) mod wkb;

pub(in crate::delivery) use footer::Footer;
pub use reader::Tables;
pub(in crate::delivery) use reader::deliver;
pub(in crate::delivery) use shares::{
    Share, Table, find_grant_share, find_listing_share, find_share, find_table, find_version, list_shares, list_tables,
    list_versions, table_named,
};
pub(in crate::delivery) use store::{At, TableFile, tables_of_listing};
