//! The lab of ptpproxy.
