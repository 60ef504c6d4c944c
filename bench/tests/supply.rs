//! Where the dependencies come from and under which licences: what `deny.toml` says, asserted without
//! cargo-deny.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The strings of a list in `deny.toml`, each on a line of its own.
fn list(name: &str, key: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join("deny.toml")).unwrap();
    let (_, section) = text.split_once(&format!("\n[{name}]\n")).expect(name);
    let section = section.split("\n[").next().unwrap();
    let (_, rest) = section.split_once(&format!("{key} = [")).expect(key);
    let (items, _) = rest.split_once("\n]").unwrap();
    let strings = items.lines().filter_map(|line| line.split('"').nth(1));
    strings.map(str::to_owned).collect()
}

/// Every package of the workspace's lock file, as Cargo describes it.
fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    let all: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = all["packages"].as_array().unwrap();
    assert!(packages.len() > 50, "{}", packages.len());
    packages.clone()
}

/// Whether an SPDX expression can be met with these licences. (AND binds closer than OR.)
fn allowed(expression: &str, licences: &BTreeSet<String>) -> bool {
    let flat = expression.replace('/', " OR ");
    // The one nested form in use is `(A OR B) AND C`.
    let parts = flat
        .split(" AND ")
        .map(|part| part.trim_matches(['(', ')']));
    let met = |part: &str| {
        part.split(" OR ")
            .any(|name| licences.contains(name.trim()))
    };
    if flat.contains(" AND ") && !flat.contains('(') && flat.contains(" OR ") {
        return flat.split(" OR ").any(|choice| {
            choice
                .split(" AND ")
                .all(|name| licences.contains(name.trim()))
        });
    }
    parts.into_iter().all(met)
}

#[test]
fn every_licence_is_one_that_is_allowed() {
    let licences = list("licenses", "allow");
    assert!(licences.contains("MIT") && licences.contains("Apache-2.0"));
    for package in packages() {
        let name = package["name"].as_str().unwrap_or("?");
        let licence = package["license"].as_str().unwrap_or("none");
        assert!(allowed(licence, &licences), "{name}: {licence}");
    }
    assert!(!allowed("GPL-3.0-only", &licences));
    assert!(!allowed("(MIT OR Apache-2.0) AND GPL-2.0-only", &licences));
    assert!(allowed("GPL-2.0-only OR MIT", &licences));
}

#[test]
fn every_dependency_comes_from_the_registry_and_none_is_banned() {
    let banned = list("bans", "deny");
    assert_eq!(banned.len(), 3);
    for package in packages() {
        let name = package["name"].as_str().unwrap_or("?");
        assert!(!banned.contains(name), "{name}");
        match package["source"].as_str() {
            // A path within the workspace.
            None => assert!(name.starts_with("ptpproxy"), "{name}"),
            Some(source) => {
                let registry = "registry+https://github.com/rust-lang/crates.io-index";
                assert_eq!(source, registry, "{name}");
            }
        }
    }
}
