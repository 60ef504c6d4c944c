//! The lab of ptpproxy.

pub mod lab;
pub mod net;
