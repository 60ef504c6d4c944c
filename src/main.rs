//! `ptpproxy`: parse, validate, run; nothing else.

fn main() {}
