//! `deploy/REFERENCE.md` is what the program's own lists make, and has a row for each field of the JSON.

use std::collections::BTreeSet;

use ptpproxy::control::reply::{
    Client, ClientList, DropsStatus, FramesStatus, Grandmaster, Granted, GrantsStatus,
    MasterStatus, PortStatus, RefusedStatus, RoutedStatus, Status, Warning,
};
use serde_json::Value;

use crate::tools::{read, top};

const REFERENCE: &str = "deploy/REFERENCE.md";

/// `PTPPROXY_WRITE_TABLES=1` writes it anew.
#[test]
fn the_reference_is_made_from_the_programs_lists() {
    let made = ptpproxy_gen::reference().unwrap();
    if std::env::var_os("PTPPROXY_WRITE_TABLES").is_some() {
        std::fs::write(top().join(REFERENCE), made).unwrap();
        return;
    }
    assert!(
        read(REFERENCE) == made,
        "{REFERENCE} is out of date: run the tests `reference` with PTPPROXY_WRITE_TABLES=1"
    );
}

/// The first column of the table under a heading.
fn terms(heading: &str) -> BTreeSet<String> {
    let made = ptpproxy_gen::reference().unwrap();
    let (_, section) = made.split_once(heading).expect("a heading");
    let section = section.split("\n#").next().unwrap_or_default();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split_once('`'))
        .map(|(term, _)| term.to_owned())
        .collect()
}

/// The way to each value, as the reference writes it.
fn fields(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                let at = match at {
                    "" => key.clone(),
                    "measures" => {
                        found.insert(format!("measures.{key}"));
                        "measures.*".to_owned()
                    }
                    at => format!("{at}.{key}"),
                };
                if at != "measures.*" {
                    found.insert(at.clone());
                }
                fields(member, &at, found);
            }
        }
        Value::Array(members) => {
            for member in members {
                fields(member, &format!("{at}[]"), found);
            }
        }
        _ => {}
    }
}

fn fields_of(reply: &impl serde::Serialize) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    fields(&serde_json::to_value(reply).unwrap(), "", &mut found);
    found
}

#[test]
fn every_field_of_the_json_has_a_row_and_no_other() {
    let master = MasterStatus {
        grandmaster: Some(Grandmaster::default()),
        ..MasterStatus::default()
    };
    let status = Status {
        warnings: vec![Warning::default()],
        masters: vec![master],
        refused: vec![RefusedStatus::default()],
        frames: vec![FramesStatus::default()],
        drops: vec![DropsStatus::default()],
        ports: vec![PortStatus::default()],
        routed: Some(RoutedStatus::default()),
        grants: vec![GrantsStatus::default()],
        ..Status::default()
    };
    assert_eq!(terms("### Status\n"), fields_of(&status));
    let list = ClientList {
        clients: vec![Client {
            grants: vec![Granted::default()],
            ..Client::default()
        }],
        ..ClientList::default()
    };
    assert_eq!(terms("### Clients\n"), fields_of(&list));
}
