//! Fields of the JSON replies, read from the definition of the replies: `src/control/reply.rs` and `seen.rs`.

use anyhow::{Context as _, Result, bail};
use ptpproxy::control::reply::Sort;
use ptpproxy::telemetry::{Counts, Measures, PortCounts};
use syn::{
    Attribute, Expr, Field, GenericArgument, Item, ItemStruct, Lit, Meta, PathArguments, Type,
};

use crate::topic::{Row, Table, Topic, sentence};

const REPLIES: &str = include_str!("../../../../src/control/reply.rs");
const SEEN: &str = include_str!("../../../../src/control/seen.rs");
const SPREADS: &str = include_str!("../../../../src/telemetry/histogram.rs");

/// Each reply: its heading, what gives it, and its type.
const ROOTS: [(&str, &str, &str); 6] = [
    ("Status", "`ptpproxy status --json`:", "Status"),
    ("Clients", "`ptpproxy clients --json`:", "ClientList"),
    ("Reload", "`ptpproxy reload --json`:", "Reloaded"),
    (
        "Watch",
        "`ptpproxy watch --json`, the first line:",
        "Watching",
    ),
    (
        "Watch, each other line",
        "A field that does not apply is left out:",
        "Seen",
    ),
    ("Failure", "If the gateway cannot answer:", "Failure"),
];

pub(crate) fn topic() -> Result<Topic> {
    let replies = Replies::read()?;
    let mut tables = Vec::new();
    for (heading, text, of) in ROOTS {
        let mut rows = Vec::new();
        replies.rows("", of, &mut rows)?;
        tables.push(Table {
            heading: heading.to_owned(),
            text: text.to_owned(),
            columns: &["field", "meaning", "type"],
            rows,
        });
    }
    Ok(Topic {
        name: "ptpproxy-status",
        section: "7",
        title: "JSON fields",
        about: "fields of the JSON that ptpproxy prints",
        text: "`--json` prints one JSON object. `a.b` is field `b` of the object `a`; `a[].b` is field `b` of each object in \
               the list `a`. Names end in their unit; an unknown value is null. Later versions may add fields: skip those that \
               you do not know. `protocol` changes if a field goes. `ptpproxy status --all --json` prints a list \
               with an object for each gateway: `socket` (its control socket), `process`, `up`, `down`, `well` (it answers, and has no \
               warning), `error` (why it gave no status), and `status` (the fields of Status)."
            .to_owned(),
        tables,
        see_also: &[
            ("ptpproxy-status", "8"),
            ("ptpproxy-clients", "8"),
            ("ptpproxy-watch", "8"),
            ("ptpproxy-warnings", "7"),
        ],
    })
}

/// The types that replies are made of.
struct Replies(Vec<ItemStruct>);

impl Replies {
    fn read() -> Result<Self> {
        let mut structs = Vec::new();
        for text in [REPLIES, SEEN, SPREADS] {
            let file =
                syn::parse_file(text).context("cannot read the definition of the replies")?;
            structs.extend(file.items.into_iter().filter_map(|item| match item {
                Item::Struct(item) => Some(item),
                _ => None,
            }));
        }
        Ok(Self(structs))
    }

    fn named(&self, name: &str) -> Option<&ItemStruct> {
        self.0.iter().find(|item| item.ident == name)
    }

    /// A row for each field of a type, and of the types in it.
    fn rows(&self, prefix: &str, of: &str, rows: &mut Vec<Row>) -> Result<()> {
        match of {
            "Counts" => counts(
                prefix,
                Counts::ALL.iter().map(|count| (count.name, count.help())),
                rows,
            ),
            "PortCounts" => {
                counts(
                    prefix,
                    PortCounts::ALL
                        .iter()
                        .map(|count| (count.name, count.help())),
                    rows,
                );
            }
            "Spreads" => {
                for measure in Measures::ALL {
                    let name = format!("{prefix}{}", measure.name);
                    rows.push(row(&name, "object", measure.help()));
                }
                self.rows(&format!("{prefix}*."), "Spread", rows)?;
            }
            _ => {
                let item = self.named(of);
                let item = item.with_context(|| format!("{of} is no type of a reply"))?;
                for field in &item.fields {
                    self.field(prefix, field, rows)?;
                }
            }
        }
        Ok(())
    }

    fn field(&self, prefix: &str, field: &Field, rows: &mut Vec<Row>) -> Result<()> {
        let name = field.ident.as_ref().context("a field without a name")?;
        let name = format!("{prefix}{name}");
        let shape = Shape::of(&field.ty)?;
        if field.attrs.iter().any(is_flat) {
            return self.rows(prefix, &shape.element, rows);
        }
        let mut meaning = documentation(&field.attrs);
        if shape.element == "Sort" {
            let words: Vec<String> = Sort::ALL
                .iter()
                .map(|sort| format!("`{}`", sort.label()))
                .collect();
            meaning = format!("{meaning} One of {}.", words.join(", "));
        }
        rows.push(row(&name, &shape.words(), &meaning));
        if shape.is_object() {
            let list = if shape.list { "[]" } else { "" };
            self.rows(&format!("{name}{list}."), &shape.element, rows)?;
        }
        Ok(())
    }
}

fn counts<'a>(prefix: &str, all: impl Iterator<Item = (&'a str, &'a str)>, rows: &mut Vec<Row>) {
    for (name, help) in all {
        rows.push(row(&format!("{prefix}{name}"), "integer", help));
    }
}

fn row(name: &str, shape: &str, meaning: &str) -> Row {
    Row {
        term: name.to_owned(),
        cells: vec![sentence(meaning), shape.to_owned()],
    }
}

/// What stands in a field: one element or a list of them, or null.
struct Shape {
    element: String,
    list: bool,
    nullable: bool,
}

impl Shape {
    fn of(ty: &Type) -> Result<Self> {
        match ty {
            Type::Array(array) => Ok(Self {
                list: true,
                ..Self::of(&array.elem)?
            }),
            Type::Path(path) => {
                let last = path.path.segments.last().context("a type without a name")?;
                let inner = match &last.arguments {
                    PathArguments::AngleBracketed(arguments) => match arguments.args.first() {
                        Some(GenericArgument::Type(inner)) => Some(Self::of(inner)?),
                        _ => None,
                    },
                    _ => None,
                };
                Ok(match (last.ident.to_string().as_str(), inner) {
                    ("Option", Some(inner)) => Self {
                        nullable: true,
                        ..inner
                    },
                    ("Vec", Some(inner)) => Self {
                        list: true,
                        ..inner
                    },
                    (name, _) => Self {
                        element: name.to_owned(),
                        list: false,
                        nullable: false,
                    },
                })
            }
            _ => bail!("a reply has a type that JSON has no word for"),
        }
    }

    fn json(&self) -> &'static str {
        match self.element.as_str() {
            "String" | "Sort" => "string",
            "u8" | "u16" | "u32" | "u64" | "i16" => "integer",
            "f64" => "number",
            "bool" => "boolean",
            _ => "object",
        }
    }

    fn is_object(&self) -> bool {
        self.json() == "object"
    }

    fn words(&self) -> String {
        let list = if self.list { "list of " } else { "" };
        let plural = if self.list { "s" } else { "" };
        let null = if self.nullable { " or null" } else { "" };
        format!("{list}{}{plural}{null}", self.json())
    }
}

/// Its keys stand in the object around it.
fn is_flat(attribute: &Attribute) -> bool {
    let mut flat = false;
    if attribute.path().is_ident("serde") {
        // Other words of serde change no name here.
        let _ = attribute.parse_nested_meta(|meta| {
            flat |= meta.path.is_ident("flatten");
            Ok(())
        });
    }
    flat
}

/// The text of the documentation comment. A link is only its text.
fn documentation(attributes: &[Attribute]) -> String {
    let lines = attributes
        .iter()
        .filter_map(|attribute| match &attribute.meta {
            Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
                Expr::Lit(text) => match &text.lit {
                    Lit::Str(text) => Some(text.value().trim().to_owned()),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        });
    let text: Vec<String> = lines.collect();
    text.join(" ").replace("[`", "`").replace("`]", "`")
}
