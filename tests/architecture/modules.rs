//! The modules of a crate and what they import from each other, read from their source.
//!
//! A name is followed through re-exports to the file that defines it, so that a `mod.rs` which only hands names on
//! is no part of a circle. What is compiled for tests alone is left out, and so is what macros make.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, UseTree, Visibility};

use crate::Arrows;

/// A path from the crate's root.
type Name = Vec<String>;

#[derive(Default)]
struct Module {
    /// The file, below the crate's folder of sources.
    file: String,
    children: BTreeSet<String>,
    /// Names that `use` brings in, and where they come from.
    imported: BTreeMap<String, Name>,
    /// Modules all of whose names are brought in.
    globs: Vec<Name>,
    /// Paths that are used here, from the root; hand-ons to others left out.
    used: BTreeSet<Name>,
}

/// A crate's modules by their path.
pub(crate) struct Modules(BTreeMap<Name, Module>);

impl Modules {
    /// Reads the crate whose root is `file` in `folder`.
    pub(crate) fn read(folder: &Path, file: &str) -> Self {
        let mut modules = Self(BTreeMap::new());
        modules.read_file(folder, file, Vec::new());
        modules
    }

    fn read_file(&mut self, folder: &Path, file: &str, name: Name) {
        let text = std::fs::read_to_string(folder.join(file))
            .unwrap_or_else(|error| panic!("{file}: {error}"));
        let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
        let mut module = Module {
            file: file.to_owned(),
            ..Module::default()
        };
        for item in &parsed.items {
            if let Item::Mod(child) = item
                && child.content.is_none()
                && !for_tests(&child.attrs)
            {
                module.children.insert(child.ident.to_string());
            }
        }
        let mut reader = Reader {
            name: &name,
            module: &mut module,
        };
        for item in &parsed.items {
            reader.visit_item(item);
        }
        let beside = file.strip_suffix(".rs").unwrap_or(file);
        let home = match name.is_empty() {
            true => String::new(),
            false => format!("{}/", beside.strip_suffix("/mod").unwrap_or(beside)),
        };
        let children: Vec<String> = module.children.iter().cloned().collect();
        self.0.insert(name.clone(), module);
        for child in children {
            let inside = format!("{home}{child}/mod.rs");
            let file = match folder.join(&inside).exists() {
                true => inside,
                false => format!("{home}{child}.rs"),
            };
            let mut name = name.clone();
            name.push(child);
            self.read_file(folder, &file, name);
        }
    }

    /// Which file imports which.
    pub(crate) fn arrows(&self) -> Arrows {
        let mut arrows = Arrows::new();
        for module in self.0.values() {
            let to = module.used.iter().filter_map(|path| self.defines(path, 0));
            let to = to.filter(|file| *file != module.file).map(str::to_owned);
            arrows.insert(module.file.clone(), to.collect());
        }
        arrows
    }

    /// The file that defines what a path names.
    fn defines(&self, path: &[String], depth: usize) -> Option<&str> {
        assert!(depth < 32, "names that lead nowhere: {path:?}");
        let mut at = 0;
        while at < path.len() && self.0.get(&path[..at])?.children.contains(&path[at]) {
            at += 1;
        }
        let module = self.0.get(&path[..at])?;
        let Some(name) = path.get(at) else {
            return Some(&module.file);
        };
        let onward = |from: &Name, rest: &[String]| [from.as_slice(), rest].concat();
        if let Some(from) = module.imported.get(name) {
            return self.defines(&onward(from, &path[at + 1..]), depth + 1);
        }
        for glob in &module.globs {
            let target = self.0.get(glob);
            if target.is_some_and(|target| {
                target.children.contains(name) || target.imported.contains_key(name)
            }) {
                return self.defines(&onward(glob, &path[at..]), depth + 1);
            }
        }
        Some(&module.file)
    }
}

/// Reads the imports of one module.
struct Reader<'a> {
    name: &'a Name,
    module: &'a mut Module,
}

impl Reader<'_> {
    /// A path as it stands here, from the root; `None` for those that lead out of the crate.
    fn absolute(&self, path: &[String]) -> Option<Name> {
        let first = path.first()?;
        let ups = path.iter().take_while(|part| *part == "super").count();
        let (base, rest) = match first.as_str() {
            "crate" => (&self.name[..0], &path[1..]),
            "self" => (&self.name[..], &path[1..]),
            "super" => (
                &self.name[..self.name.len().checked_sub(ups)?],
                &path[ups..],
            ),
            child if self.module.children.contains(child) => (&self.name[..], path),
            _ => return None,
        };
        Some([base, rest].concat())
    }

    fn use_path(&mut self, path: &[String]) {
        if let Some(path) = self.absolute(path) {
            self.module.used.insert(path);
        }
    }

    fn bring_in(&mut self, tree: &UseTree, before: &[String], hands_on: bool) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        let (path, known_as) = match tree {
            UseTree::Path(path) => {
                self.bring_in(&path.tree, &with(&path.ident), hands_on);
                return;
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.bring_in(tree, before, hands_on);
                }
                return;
            }
            UseTree::Glob(_) => {
                if let Some(from) = self.absolute(before) {
                    self.module.globs.push(from);
                    if !hands_on {
                        self.use_path(before);
                    }
                }
                return;
            }
            UseTree::Name(name) if name.ident == "self" => {
                (before.to_vec(), before.last().cloned())
            }
            UseTree::Name(name) => (with(&name.ident), Some(name.ident.to_string())),
            UseTree::Rename(rename) => (with(&rename.ident), Some(rename.rename.to_string())),
        };
        if let (Some(from), Some(known_as)) = (self.absolute(&path), known_as) {
            self.module.imported.insert(known_as, from);
            if !hands_on {
                self.use_path(&path);
            }
        }
    }

    /// Paths within what a macro is given.
    fn read_tokens(&mut self, tokens: TokenStream) {
        let mut path: Name = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) if path.is_empty() || colons == 2 => {
                    path.push(ident.to_string());
                    colons = 0;
                    continue;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' && !path.is_empty() => {
                    colons += 1;
                    continue;
                }
                TokenTree::Group(group) => self.read_tokens(group.stream()),
                TokenTree::Ident(ident) => {
                    self.end_path(&mut path);
                    path.push(ident.to_string());
                    colons = 0;
                    continue;
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
            self.end_path(&mut path);
            colons = 0;
        }
        self.end_path(&mut path);
    }

    fn end_path(&mut self, path: &mut Name) {
        if path.len() > 1 {
            self.use_path(path);
        }
        path.clear();
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let hands_on = !matches!(item.vis, Visibility::Inherited);
        self.bring_in(&item.tree, &[], hands_on);
    }

    fn visit_visibility(&mut self, _: &'ast Visibility) {
        // Who may see something is no import.
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let parts: Name = path
            .segments
            .iter()
            .map(|part| part.ident.to_string())
            .collect();
        if parts.len() > 1 {
            self.use_path(&parts);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, made: &'ast syn::Macro) {
        self.read_tokens(made.tokens.clone());
    }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether something is compiled for tests alone.
fn for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let mut test = attribute.path().is_ident("test");
        if attribute.path().is_ident("cfg") {
            let _ = attribute.parse_nested_meta(|meta| {
                test |= meta.path.is_ident("test");
                Ok(())
            });
        }
        test
    })
}

#[test]
fn a_name_is_followed_to_the_file_that_defines_it() {
    let folder = std::env::temp_dir().join(format!("architecture-{}", std::process::id()));
    let files = [
        ("lib.rs", "pub mod a; mod b; mod c;"),
        ("a/mod.rs", "mod deep; pub use deep::Thing;"),
        (
            "a/deep.rs",
            "pub struct Thing; #[cfg(test)] mod tests { use crate::c::C; }",
        ),
        (
            "b.rs",
            "use crate::{a::Thing, c}; fn f(_: Thing) -> c::C { c::C }",
        ),
        (
            "c.rs",
            "pub struct C; fn f() { println!(\"{}\", crate::b::f()); #[cfg(test)] {} }",
        ),
    ];
    for (file, text) in files {
        let path = folder.join(file);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("temporary folder");
        std::fs::write(path, text).expect("temporary file");
    }
    let arrows = Modules::read(&folder, "lib.rs").arrows();
    std::fs::remove_dir_all(&folder).expect("made here");
    let of = |file: &str| arrows[file].iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(of("b.rs"), ["a/deep.rs", "c.rs"]);
    assert_eq!(of("c.rs"), ["b.rs"]);
    assert!(of("a/deep.rs").is_empty() && of("a/mod.rs").is_empty());
}
