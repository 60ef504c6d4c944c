//! The lab of ptpproxy.

pub mod accuracy;
pub mod net;
pub mod ptp4l;
