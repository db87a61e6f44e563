//! What a page says without running it: the variables it uses, and what it uses that is not there.

mod expression;

use std::collections::HashSet;
use std::ops::Range;

use indexmap::IndexMap;
use minijinja::machinery::ast::{self, Expr, Stmt};
use minijinja::machinery::{Span, parse};
use minijinja::syntax::SyntaxConfig;

use super::{Flaw, Snippets, environment, failure, size};

/// The names a page uses and does not set itself, in the order they first appear.
#[derive(Debug, Default)]
pub(super) struct Reading {
    uses: IndexMap<String, Use>,
    /// Whether it sets attributes of a namespace.
    pub(super) nests: bool,
    /// Whether it sets names at all.
    pub(super) sets: bool,
}

/// How a name is used.
#[derive(Clone, Copy, Debug, Default)]
struct Use {
    /// Somewhere the page cannot do without it, whatever its conditions and loops come to.
    certain: bool,
    /// Somewhere the page asks whether it is there, or says what to take instead.
    guarded: bool,
}

/// Reads a page, or says everything that is wrong with it.
pub(super) fn read(source: &str, snippets: &Snippets) -> Result<Reading, Vec<Flaw>> {
    size::check(source)?;
    let tree = parse(source, "", SyntaxConfig::default()).map_err(|error| vec![failure::flaw(&error)])?;
    let mut reader = Reader { source, snippets: Some(snippets), ..Reader::default() };
    reader.scopes.push(HashSet::new());
    reader.statement(&tree);
    if !reader.flaws.is_empty() {
        return Err(reader.flaws);
    }
    let set_somewhere = &reader.assigned;
    for (name, used) in &mut reader.uses {
        used.certain &= !set_somewhere.contains(name.as_str());
    }
    Ok(Reading { uses: reader.uses, nests: reader.nests, sets: !reader.assigned.is_empty() })
}

/// The snippets a page names, and where their names stand.
pub(super) fn includes(source: &str) -> Vec<(Range<usize>, String)> {
    if size::check(source).is_err() {
        return Vec::new();
    }
    let Ok(tree) = parse(source, "", SyntaxConfig::default()) else { return Vec::new() };
    let mut reader = Reader { source, ..Reader::default() };
    reader.scopes.push(HashSet::new());
    reader.statement(&tree);
    reader.includes
}

impl Reading {
    /// Each variable, and whether every call has to send it.
    pub(super) fn variables(&self) -> impl Iterator<Item = (&str, bool)> {
        self.uses.iter().map(|(name, used)| (name.as_str(), used.certain && !used.guarded))
    }
}

#[derive(Default)]
struct Reader<'s> {
    source: &'s str,
    /// Names set by the page, innermost block last.
    scopes: Vec<HashSet<&'s str>>,
    assigned: HashSet<&'s str>,
    uses: IndexMap<String, Use>,
    flaws: Vec<Flaw>,
    nests: bool,
    /// How many conditions and loops the place being read depends on.
    conditions: usize,
    /// What may be included; nothing is looked up when it is only asked what is.
    snippets: Option<&'s Snippets>,
    includes: Vec<(Range<usize>, String)>,
}

impl<'s> Reader<'s> {
    fn block(&mut self, statements: &[Stmt<'s>]) {
        for statement in statements {
            self.statement(statement);
        }
    }

    /// A block that may not run, with names of its own.
    fn branch(&mut self, statements: &[Stmt<'s>]) {
        self.scoped(|reader| {
            reader.conditions += 1;
            reader.block(statements);
            reader.conditions -= 1;
        });
    }

    fn scoped(&mut self, read: impl FnOnce(&mut Self)) {
        self.scopes.push(HashSet::new());
        read(self);
        self.scopes.pop();
    }

    fn statement(&mut self, statement: &Stmt<'s>) {
        match statement {
            Stmt::Template(page) => self.block(&page.children),
            Stmt::EmitExpr(emitted) => self.expression(&emitted.expr),
            Stmt::EmitRaw(_) | Stmt::Continue(_) | Stmt::Break(_) => {}
            Stmt::ForLoop(repeated) => self.repeated(repeated),
            Stmt::IfCond(choice) => {
                self.expression(&choice.expr);
                self.branch(&choice.true_body);
                self.branch(&choice.false_body);
            }
            Stmt::WithBlock(with) => self.scoped(|reader| {
                for (target, value) in &with.assignments {
                    reader.expression(value);
                    reader.bind(target);
                }
                reader.block(&with.body);
            }),
            Stmt::Set(set) => {
                self.expression(&set.expr);
                self.assign(&set.target);
            }
            Stmt::SetBlock(set) => {
                self.scoped(|reader| reader.block(&set.body));
                self.option(set.filter.as_ref());
                self.assign(&set.target);
            }
            Stmt::FilterBlock(filtered) => {
                self.expression(&filtered.filter);
                self.scoped(|reader| reader.block(&filtered.body));
            }
            Stmt::Block(block) => self.scoped(|reader| {
                reader.bind_name("super");
                reader.block(&block.body);
            }),
            Stmt::Macro(declared) => {
                self.assign_name(declared.name);
                self.declared(declared);
            }
            Stmt::CallBlock(called) => {
                self.call(&called.call, called.call.span());
                self.declared(&called.macro_decl);
            }
            Stmt::Do(done) => self.call(&done.call, done.call.span()),
            Stmt::AutoEscape(tag) => {
                self.refuse(
                    start(tag.span()),
                    "`{% autoescape %}` is not supported: values are never escaped",
                );
            }
            Stmt::Include(tag) => self.include(tag, start(tag.span())),
            Stmt::Import(tag) => self.refuse_other("import", tag.span()),
            Stmt::FromImport(tag) => self.refuse_other("from", tag.span()),
            Stmt::Extends(tag) => self.refuse_other("extends", tag.span()),
        }
    }

    fn refuse_other(&mut self, tag: &str, span: Span) {
        self.refuse(start(span), format!("`{{% {tag} %}}` is not supported: `{{% include \"name\" %}}` is"));
    }

    /// A snippet: what it uses, the page uses here.
    fn include(&mut self, tag: &ast::Include<'s>, offset: usize) {
        let name = match &tag.name {
            Expr::Const(name) if !tag.ignore_missing => name.value.as_str(),
            _ => None,
        };
        let Some(name) = name else {
            let message = "`include` takes one name between quotes: `{% include \"snippets/tone\" %}`";
            return self.refuse(offset, message);
        };
        let span = tag.name.span();
        self.includes.push((start(span)..span.end_offset as usize, name.to_owned()));
        let Some(snippets) = self.snippets else { return };
        match snippets.get(name) {
            Some(Ok(snippet)) => self.take_over(snippet),
            Some(Err(why)) => self.refuse(offset, why.clone()),
            None => self.refuse(offset, format!("`{name}` is not at hand here, so this cannot be tried")),
        }
    }

    fn take_over(&mut self, snippet: &Reading) {
        self.nests |= snippet.nests;
        for (name, theirs) in &snippet.uses {
            if self.is_set(name) {
                continue;
            }
            let used = self.uses.entry(name.clone()).or_default();
            used.guarded |= theirs.guarded;
            used.certain |= theirs.certain && self.conditions == 0;
        }
    }

    fn repeated(&mut self, repeated: &ast::ForLoop<'s>) {
        self.expression(&repeated.iter);
        self.scoped(|reader| {
            reader.bind_name("loop");
            reader.bind(&repeated.target);
            reader.conditions += 1;
            reader.option(repeated.filter_expr.as_ref());
            reader.block(&repeated.body);
            reader.conditions -= 1;
        });
        self.branch(&repeated.else_body);
    }

    fn declared(&mut self, declared: &ast::Macro<'s>) {
        self.scoped(|reader| {
            reader.conditions += 1;
            reader.bind_name("caller");
            for target in &declared.args {
                reader.bind(target);
            }
            for default in &declared.defaults {
                reader.expression(default);
            }
            reader.block(&declared.body);
            reader.conditions -= 1;
        });
    }

    fn mention(&mut self, name: &'s str, guarded: bool) {
        if self.is_set(name) || name == "self" || environment::has_function(name) {
            return;
        }
        let used = self.uses.entry(name.to_owned()).or_default();
        used.guarded |= guarded;
        used.certain |= !guarded && self.conditions == 0;
    }

    fn is_set(&self, name: &str) -> bool {
        self.scopes.iter().any(|scope| scope.contains(name))
    }

    /// Binds the names of a loop, `with` or macro.
    fn bind(&mut self, target: &Expr<'s>) {
        match target {
            Expr::Var(name) => self.bind_name(name.id),
            Expr::List(list) => list.items.iter().for_each(|item| self.bind(item)),
            Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| self.bind(item)),
            other => self.expression(other),
        }
    }

    fn bind_name(&mut self, name: &'s str) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.insert(name);
        }
    }

    /// Binds the names of a `set`, which outlive the `if` around it.
    fn assign(&mut self, target: &Expr<'s>) {
        match target {
            Expr::Var(name) => self.assign_name(name.id),
            Expr::List(list) => list.items.iter().for_each(|item| self.assign(item)),
            Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| self.assign(item)),
            Expr::GetAttr(attribute) => {
                self.nests = true;
                self.expression(&attribute.expr);
            }
            other => self.expression(other),
        }
    }

    fn assign_name(&mut self, name: &'s str) {
        self.assigned.insert(name);
        self.bind_name(name);
    }

    fn refuse(&mut self, offset: usize, message: impl Into<String>) {
        self.flaws.push(Flaw { offset, message: message.into() });
    }
}

fn start(span: Span) -> usize {
    span.start_offset as usize
}
