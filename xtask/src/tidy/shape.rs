//! How long functions and files are and how deep code is nested: the five numbers of the house style, reported.

use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

use crate::tidy::sources::{Source, Tree, is_test};

/// A function longer than this is named.
const FUNCTION_LINES_MAX: usize = 60;
/// The share of functions longer than this is one of the five numbers.
const FUNCTION_LINES_LONG: usize = 70;
/// A file longer than this is named; its tests do not count.
const FILE_LINES_MAX: usize = 400;
/// Code this deep is six levels in.
const DEEP_SPACES: usize = 24;

/// A function that is not a test's.
struct Function {
    path: PathBuf,
    name: String,
    line: usize,
    lines: usize,
}

/// What is measured of all code that is not there for tests.
#[derive(Default)]
struct Shape {
    functions: Vec<Function>,
    files: Vec<(PathBuf, usize)>,
    code_lines: usize,
    deep_lines: usize,
}

/// Prints the numbers and what stands out.
pub(crate) fn report(tree: &Tree) {
    let mut shape = Shape::default();
    for source in tree.sources.iter().filter(|source| !source.for_tests) {
        shape.take(source);
    }
    shape.print();
}

impl Shape {
    fn take(&mut self, source: &Source) {
        let lines = source.code_lines();
        self.files.push((source.path.clone(), lines.len()));
        for (_, line) in lines {
            let code = line.trim_start();
            if code.is_empty() || code.starts_with("//") {
                continue;
            }
            self.code_lines += 1;
            self.deep_lines += usize::from(line.len() - code.len() >= DEEP_SPACES);
        }
        let mut collector = Collector { path: &source.path, functions: &mut self.functions };
        collector.visit_file(&source.syntax);
    }

    fn print(&self) {
        let mut lengths: Vec<usize> = self.functions.iter().map(|function| function.lines).collect();
        lengths.sort_unstable();
        let at =
            |share: f64| lengths.get((lengths.len() as f64 * share) as usize).copied().unwrap_or_default();
        let long = lengths.iter().filter(|lines| **lines > FUNCTION_LINES_LONG).count();
        let large = self.files.iter().filter(|(_, lines)| *lines > FILE_LINES_MAX).count();
        println!(
            "{} functions, lines median / p90 / p99: {} / {} / {}; longer than {FUNCTION_LINES_LONG}: {:.1} %",
            lengths.len(),
            at(0.5),
            at(0.9),
            at(0.99),
            percent(long, lengths.len()),
        );
        println!(
            "{} files, more than {FILE_LINES_MAX} lines: {:.1} %; {} lines of code, six levels deep: {:.1} %",
            self.files.len(),
            percent(large, self.files.len()),
            self.code_lines,
            percent(self.deep_lines, self.code_lines),
        );
        for Function { path, name, line, lines } in &self.functions {
            if *lines > FUNCTION_LINES_MAX {
                println!("long: {}:{line}: {name} has {lines} lines", path.display());
            }
        }
        for (path, lines) in self.files.iter().filter(|(_, lines)| *lines > FILE_LINES_MAX) {
            println!("large: {}: {lines} lines", path.display());
        }
    }
}

fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

struct Collector<'a> {
    path: &'a Path,
    functions: &'a mut Vec<Function>,
}

impl Collector<'_> {
    fn take(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let line = signature.fn_token.span.start().line;
        let lines = block.brace_token.span.close().end().line + 1 - line;
        let (path, name) = (self.path.to_owned(), signature.ident.to_string());
        self.functions.push(Function { path, name, line, lines });
    }
}

impl<'ast> Visit<'ast> for Collector<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !is_test(item) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.take(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.take(&function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(block) = &function.default {
            self.take(&function.sig, block);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_measured_from_signature_to_brace_and_tests_are_not() {
        let text = "//! x.\nimpl X {\n    fn one(&self) {}\n    fn three() {\n        1;\n    }\n}\n#[cfg(test)]\nmod tests {\n    fn unseen() {}\n}\n";
        let source = Source::parse(Path::new("x.rs"), text).map_err(|finding| finding.to_string()).unwrap();
        let mut shape = Shape::default();
        shape.take(&source);
        let found: Vec<_> = shape.functions.iter().map(|f| (f.name.as_str(), f.lines)).collect();
        assert_eq!(found, [("one", 1), ("three", 3)]);
        assert_eq!(shape.files[0].1, 8);
    }
}
