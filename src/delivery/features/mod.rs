//! OGC API Features: tables with geometry on maps of desktop tools.
//!
//! A collection is a table of an open grant that has shapes; its features are the rows of the newest version, named by
//! their places in the file. Coordinates are longitude and latitude of WGS 84.
//!
//! Source: OGC 17-069r4, "OGC API - Features - Part 1: Core", the classes Core and `GeoJSON`.

mod http;
mod query;
mod service;
mod views;

pub use http::routes;
