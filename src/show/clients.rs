//! The clients as a table.

use super::figures::{ago, columns, dash, ms, percent};
use crate::control::reply::{Client, ClientList, Granted};

/// Headings; the first [`TEXT`] columns are text.
pub(super) const HEADINGS: [&str; 11] = [
    "identity",
    "address",
    "mode",
    "vlan",
    "interval",
    "requests",
    "answered",
    "hold",
    "residence",
    "response",
    "seen",
];

/// Columns of text.
pub(super) const TEXT: usize = 3;

/// The table, and a line that says how many there are.
pub(super) fn text(list: &ClientList) -> String {
    let mut rows = vec![headings(list)];
    rows.extend(list.clients.iter().map(|client| cells(list, client)));
    // Most networks grant nothing.
    if list.clients.iter().any(|client| !client.grants.is_empty()) {
        let cells = list.clients.iter().map(|client| grants(&client.grants));
        let column = std::iter::once("grants".to_owned()).chain(cells);
        rows.iter_mut()
            .zip(column)
            .for_each(|(row, cell)| row.push(cell));
    }
    let mut text = String::new();
    if !list.clients.is_empty() {
        for line in columns(&rows, TEXT + usize::from(has_several(list))) {
            text += &line;
            text.push('\n');
        }
    }
    let shown = list.clients.len();
    text += &match (list.known, shown) {
        (0, _) => "no clients\n".to_owned(),
        (known, shown) if known as usize > shown => format!(
            "{shown} of {known} clients, sorted by {}\n",
            list.sort.label()
        ),
        (1, _) => "1 client\n".to_owned(),
        (known, _) => format!("{known} clients, sorted by {}\n", list.sort.label()),
    };
    text
}

/// Whether there are several interfaces downstream: then each client has its own beside it.
pub(super) const fn has_several(list: &ClientList) -> bool {
    list.interfaces.len() > 1
}

/// [`HEADINGS`], and before them the interface where there are several.
pub(super) fn headings(list: &ClientList) -> Vec<String> {
    let mut headings = HEADINGS.map(str::to_owned).to_vec();
    if has_several(list) {
        headings.insert(0, "interface".to_owned());
    }
    headings
}

/// The cells of a client, by [`headings`].
pub(super) fn cells(list: &ClientList, client: &Client) -> Vec<String> {
    let mut cells = row(client).to_vec();
    if has_several(list) {
        cells.insert(0, client.interface.clone());
    }
    cells
}

/// What is granted, and for how long it still is.
fn grants(grants: &[Granted]) -> String {
    if grants.is_empty() {
        return dash();
    }
    let each = grants.iter();
    let each: Vec<_> = each
        .map(|grant| format!("{} {} s", grant.message, grant.left_s))
        .collect();
    each.join(", ")
}

/// The cells of a client, by [`HEADINGS`].
fn row(client: &Client) -> [String; 11] {
    let vlans: Vec<String> = client.vlans.iter().map(ToString::to_string).collect();
    [
        client.identity.clone(),
        client.address.clone(),
        client.mode.clone(),
        if vlans.is_empty() {
            dash()
        } else {
            vlans.join(".")
        },
        ms(client.interval_ms),
        client.requests.to_string(),
        percent(client.answered_percent),
        ms(client.hold_ms),
        ms(client.residence_ms),
        ms(client.response_ms),
        ago(client.seen_ms),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_with_units() {
        let client = Client {
            identity: "020000.fffe.000001-1".into(),
            address: "192.0.2.1".into(),
            vlans: vec![100, 7],
            mode: "hybrid".into(),
            interval_ms: Some(125.0),
            requests: 40,
            answered_percent: Some(99.96),
            hold_ms: Some(9.8),
            residence_ms: Some(9.9),
            response_ms: Some(0.31),
            seen_ms: 80,
            ..Client::default()
        };
        let list = ClientList {
            known: 2,
            clients: vec![client],
            ..ClientList::default()
        };
        assert_eq!(
            text(&list),
            "\
identity              address    mode     vlan  interval  requests  answered     hold  residence  response   seen
020000.fffe.000001-1  192.0.2.1  hybrid  100.7    125 ms        40    99.9 %  9.80 ms    9.90 ms    310 us  80 ms
1 of 2 clients, sorted by identity
"
        );
        assert_eq!(text(&ClientList::default()), "no clients\n");
        // With several interfaces downstream, each client's own.
        let several = ClientList {
            interfaces: vec!["lan1".into(), "lan2".into()],
            clients: vec![Client {
                interface: "lan2".into(),
                ..list.clients[0].clone()
            }],
            ..list.clone()
        };
        let several = text(&several);
        let lines: Vec<_> = several.lines().collect();
        assert!(lines[0].starts_with("interface  identity "), "{several}");
        assert!(
            lines[1].starts_with("lan2       020000.fffe.000001-1  192.0.2.1  hybrid "),
            "{several}"
        );
        // With a grant, a column more.
        let granted = Client {
            grants: vec![
                Granted {
                    message: "sync".into(),
                    left_s: 299,
                },
                Granted {
                    message: "delay_resp".into(),
                    left_s: 60,
                },
            ],
            ..list.clients[0].clone()
        };
        let list = ClientList {
            known: 2,
            clients: vec![list.clients[0].clone(), granted],
            ..ClientList::default()
        };
        let text = text(&list);
        let lines: Vec<_> = text.lines().collect();
        assert!(
            lines[0].ends_with("seen                       grants"),
            "{text}"
        );
        assert!(
            lines[1].ends_with("80 ms                            -"),
            "{text}"
        );
        assert!(
            lines[2].ends_with("80 ms  sync 299 s, delay_resp 60 s"),
            "{text}"
        );
    }
}
