//! The expressions of a page: where names, filters, tests and functions are used.

use minijinja::machinery::Span;
use minijinja::machinery::ast::{self, CallArg, Expr};

use super::super::environment;
use super::{Reader, start};

impl<'s> Reader<'s> {
    pub(super) fn option(&mut self, expression: Option<&Expr<'s>>) {
        if let Some(expression) = expression {
            self.expression(expression);
        }
    }

    /// An expression that may not be evaluated.
    fn perhaps(&mut self, expression: &Expr<'s>) {
        self.conditions += 1;
        self.expression(expression);
        self.conditions -= 1;
    }

    pub(super) fn expression(&mut self, expression: &Expr<'s>) {
        match expression {
            Expr::Var(name) => self.mention(name.id, false),
            Expr::Const(_) => {}
            Expr::UnaryOp(operation) => self.expression(&operation.expr),
            Expr::BinOp(operation) => self.operation(operation),
            Expr::Compare(comparison) => {
                self.expression(&comparison.expr);
                comparison.ops.iter().for_each(|next| self.expression(&next.expr));
            }
            Expr::IfExpr(choice) => {
                self.expression(&choice.test_expr);
                self.perhaps(&choice.true_expr);
                if let Some(otherwise) = &choice.false_expr {
                    self.perhaps(otherwise);
                }
            }
            Expr::Filter(filter) => self.filter(filter, filter.span()),
            Expr::Test(test) => self.test(test, test.span()),
            Expr::GetAttr(attribute) => self.expression(&attribute.expr),
            Expr::GetItem(item) => {
                self.expression(&item.expr);
                self.expression(&item.subscript_expr);
            }
            Expr::Slice(slice) => {
                self.expression(&slice.expr);
                for part in [&slice.start, &slice.stop, &slice.step] {
                    self.option(part.as_ref());
                }
            }
            Expr::Call(call) => self.call(call, call.span()),
            Expr::List(list) => list.items.iter().for_each(|item| self.expression(item)),
            Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| self.expression(item)),
            Expr::Map(map) => map.keys.iter().chain(&map.values).for_each(|item| self.expression(item)),
        }
    }

    fn operation(&mut self, operation: &ast::BinOp<'s>) {
        self.expression(&operation.left);
        match operation.op {
            ast::BinOpKind::ScAnd | ast::BinOpKind::ScOr => self.perhaps(&operation.right),
            _ => self.expression(&operation.right),
        }
    }

    fn filter(&mut self, filter: &ast::Filter<'s>, span: Span) {
        let guards = matches!(filter.name, "default" | "d");
        match &filter.expr {
            Some(expression) if guards => self.guarded(expression),
            expression => self.option(expression.as_ref()),
        }
        self.arguments(&filter.args);
        if !environment::has_filter(filter.name) {
            let hint = environment::suggest_filter(filter.name);
            let offset = self.locate(filter.name, filter.expr.as_ref(), span);
            self.refuse(offset, format!("there is no filter `{}`{hint}", filter.name));
        }
    }

    fn test(&mut self, test: &ast::Test<'s>, span: Span) {
        if matches!(test.name, "defined" | "undefined") {
            self.guarded(&test.expr);
        } else {
            self.expression(&test.expr);
        }
        self.arguments(&test.args);
        if !environment::has_test(test.name) {
            let offset = self.locate(test.name, Some(&test.expr), span);
            self.refuse(offset, format!("there is no test `{}`", test.name));
        }
    }

    /// An expression that may be undefined; only a plain name may, not what an attribute hangs on.
    fn guarded(&mut self, expression: &Expr<'s>) {
        match expression {
            Expr::Var(name) => self.mention(name.id, true),
            other => self.expression(other),
        }
    }

    pub(super) fn call(&mut self, call: &ast::Call<'s>, span: Span) {
        match &call.expr {
            Expr::Var(function) if self.is_set(function.id) || environment::has_function(function.id) => {}
            Expr::Var(function) => {
                self.refuse(start(span), format!("there is no function `{}`", function.id));
            }
            Expr::GetAttr(method) => self.method(method, span),
            other => self.expression(other),
        }
        self.arguments(&call.args);
    }

    /// Only `loop` and the page's own macros and blocks have methods; values have none.
    fn method(&mut self, method: &ast::GetAttr<'s>, span: Span) {
        match &method.expr {
            Expr::Var(name) if matches!(name.id, "loop" | "self") => {}
            other => {
                self.expression(other);
                let hint = environment::suggest_filter(method.name);
                self.refuse(start(span), format!("values have no method `{}`{hint}", method.name));
            }
        }
    }

    fn arguments(&mut self, arguments: &[CallArg<'s>]) {
        for argument in arguments {
            match argument {
                CallArg::Pos(value)
                | CallArg::Kwarg(_, value)
                | CallArg::PosSplat(value)
                | CallArg::KwargSplat(value) => {
                    self.expression(value);
                }
            }
        }
    }

    /// Where the name of a filter or a test stands: after what it is applied to.
    fn locate(&self, name: &str, operand: Option<&Expr<'s>>, span: Span) -> usize {
        let after = operand.map_or(start(span), |operand| operand.span().end_offset as usize);
        let found = self.source.get(after..).and_then(|rest| rest.find(name));
        found.map_or(start(span), |offset| after + offset)
    }
}
