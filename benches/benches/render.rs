//! What rendering a prompt costs: a chat prompt of 2 KB and four variables, in each engine.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use registry::content::{Content, Variables};
use registry::template::Template;
use serde_json::{Value, json};

/// About 1.8 KB of instructions with three variables, and a question with two.
fn prompt(engine: &str) -> Template {
    let (open, close) = if engine == "fstring" { ("{", "}") } else { ("{{", "}}") };
    let rules = "Answer in the customer's language, briefly and kindly. Never promise a refund. ".repeat(22);
    let system = format!("You help customers of {open}shop{close}.\n{rules}\nThe plan is {open}plan{close}.");
    let user = format!("{open}name{close} of {open}shop{close} asks: {open}question{close}");
    compile(&json!({
        "engine": engine,
        "messages": [
            {"role": "system", "content": system}, {"placeholder": "history"}, {"role": "user", "content": user},
        ],
    }))
}

/// The same size with a condition and a loop, for the engine that has them.
fn busy_prompt() -> Template {
    let rules = "Answer in the customer's language, briefly and kindly. Never promise a refund. ".repeat(22);
    let system = format!(
        "You help customers of {{{{ shop }}}}.\n{rules}\n{{% if plan == 'gold' %}}Be quick.{{% endif %}}\
         {{% for item in items %}}- {{{{ item.name|upper }}}}: {{{{ item.price }}}}\n{{% endfor %}}"
    );
    compile(&json!({
        "engine": "jinja",
        "messages": [{"role": "system", "content": system}, {"role": "user", "content": "{{ question }}"}],
    }))
}

fn compile(content: &Value) -> Template {
    let content: Content = serde_json::from_value(content.clone()).expect("the content is well formed");
    Template::compile(&content).expect("the template is well formed")
}

fn variables() -> Variables {
    let variables = json!({
        "shop": "Nordic Tea & Sons", "plan": "gold", "name": "Ann",
        "question": "Where is my order 4711? It was to arrive on Monday and I am still waiting for it.",
        "items": [{"name": "tea", "price": 4.5}, {"name": "milk", "price": 1}, {"name": "nuts", "price": 7.25}],
    });
    let Value::Object(variables) = variables else { return Variables::new() };
    variables
}

fn render(criterion: &mut Criterion) {
    let variables = variables();
    let mut group = criterion.benchmark_group("render");
    group.throughput(Throughput::Bytes(2_000));
    let mut measure = |name: &str, template: &Template| {
        group.bench_function(name, |bencher| bencher.iter(|| template.render(black_box(&variables))));
    };
    measure("plain", &prompt("plain"));
    measure("fstring", &prompt("fstring"));
    measure("jinja", &prompt("jinja"));
    measure("jinja with a loop", &busy_prompt());
    group.finish();
}

criterion_group!(benches, render);
criterion_main!(benches);
