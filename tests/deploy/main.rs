//! What is under deploy/: units, manual, package, static build, metrics, rules and dashboard, each
//! tried by the program that it is made for (systemd, man, dpkg, Prometheus).
//!
//! Without that program a test is skipped, unless `PTPPROXY_REQUIRE_PEERS=1`.

mod built;
mod container;
mod foreign;
mod guard;
mod manual;
mod metrics;
mod notify;
mod openwrt;
mod package;
mod reference;
mod rules;
mod sandbox;
mod service;
mod tools;
mod units;
