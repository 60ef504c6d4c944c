//! The lab of ptpproxy.

pub mod net;
