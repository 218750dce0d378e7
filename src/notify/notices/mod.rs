//! What an organisation was told: a log that is read from a cursor on, or followed.

mod http;
mod live;
mod service;
mod store;
mod stream;

pub use http::routes;
pub use live::LiveNotices;
pub(super) use store::{head as end, newest};
pub use stream::stream_routes;
