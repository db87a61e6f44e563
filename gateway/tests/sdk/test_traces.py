"""Spans of applications, sent by OpenTelemetry's own SDK (protobuf, gzip), and the calls made under them."""

import json
import time

import pytest
from gateway import API_KEY, PATIENCE_S
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagate import inject
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.trace import Status, StatusCode

MODEL = "demo/demo-small"
ASKED = "Where is my order?"
HELLO = [{"role": "user", "content": ASKED}]


def exporter(gateway, key=API_KEY):
    return OTLPSpanExporter(
        endpoint=f"{gateway.base_url}/traces",
        headers={"authorization": f"Bearer {key}"},
        compression=Compression.Gzip,
    )


class Application:
    """A program that reports its spans to Weir."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.provider = TracerProvider(resource=Resource.create({"service.name": "helpdesk"}))
        self.provider.add_span_processor(BatchSpanProcessor(exporter(gateway)))
        self.tracer = self.provider.get_tracer("helpdesk")

    def span(self, name, **options):
        return self.tracer.start_as_current_span(name, **options)

    def trace_of(self, span, calls=0):
        """The trace of a span that has ended, once it has so many calls: they are recorded a moment after their end."""
        assert self.provider.force_flush()
        trace_id = f"{span.get_span_context().trace_id:032x}"
        deadline = time.monotonic() + PATIENCE_S
        while True:
            trace = self.gateway.call_admin("GET", f"/traces/{trace_id}")
            if trace["calls"] >= calls:
                assert trace["calls"] == calls, trace
                return trace
            assert time.monotonic() < deadline, trace
            time.sleep(0.02)

    def report(self, attributes):
        """Reports one span with these attributes and returns it as Weir shows it."""
        with self.span("ask", attributes=attributes) as span:
            pass
        (root,) = self.trace_of(span)["roots"]
        return root


@pytest.fixture
def application(gateway):
    application = Application(gateway)
    yield application
    application.provider.shutdown()


def headers():
    """What makes a call part of the current span's trace."""
    carrier = {}
    inject(carrier)
    assert "traceparent" in carrier
    return carrier


def test_a_call_stands_under_the_applications_span(application, client):
    attributes = {"gen_ai.operation.name": "invoke_agent", "gen_ai.input.messages": json.dumps(HELLO)}
    with application.span("answer ticket", attributes=attributes) as span:
        answer = client.chat.completions.create(
            model=MODEL,
            messages=HELLO,
            extra_body={"weir": {"session": "s-4", "user": "ada"}},
            extra_headers=headers(),
        )
        text = answer.choices[0].message.content
        span.set_attribute("gen_ai.output.messages", json.dumps([{"role": "assistant", "content": text}]))

    trace = application.trace_of(span, calls=1)

    (root,) = trace["roots"]
    assert (root["name"], root["kind"], root["parent_span_id"]) == ("answer ticket", "agent", None)
    assert root["input"] == HELLO and root["output"][0]["content"] == text
    assert root["span"]["service"] == "helpdesk"
    (call,) = root["children"]
    assert (call["kind"], call["name"], call["orphan"]) == ("call", "chat_completions", False)
    assert call["parent_span_id"] == root["span_id"] == f"{span.get_span_context().span_id:016x}"
    assert call["input"]["messages"] == HELLO
    assert call["output"]["choices"][0]["message"]["content"] == text
    tokens = (answer.usage.prompt_tokens, answer.usage.completion_tokens)
    for node in (call, root, trace):
        assert (node["input_tokens"], node["output_tokens"]) == tokens
        assert node["cost_nanousd"] > 0
    assert (trace["session"], trace["user"], trace["spans"], trace["errors"]) == ("s-4", "ada", 1, 0)
    assert root["started_at"] <= call["started_at"] and root["duration_us"] >= call["duration_us"]


def test_an_agents_steps_are_one_tree_in_their_order(application, client, prompt):
    with application.span("agent", attributes={"openinference.span.kind": "AGENT"}) as span:
        with application.span("search", attributes={"openinference.span.kind": "RETRIEVER"}):
            pass
        with application.span("write", attributes={"openinference.span.kind": "CHAIN"}):
            client.responses.create(prompt=prompt, extra_headers=headers())
            stream = client.chat.completions.create(
                model=MODEL, messages=HELLO, stream=True, extra_headers=headers()
            )
            list(stream)

    trace = application.trace_of(span, calls=2)

    (root,) = trace["roots"]
    search, write = root["children"]
    assert (root["kind"], search["kind"], write["kind"]) == ("agent", "retriever", "chain")
    assert [call["name"] for call in write["children"]] == ["responses", "chat_completions"]
    assert write["children"][0]["call"]["prompt"] == prompt["id"]
    assert root["input_tokens"] == sum(call["input_tokens"] for call in write["children"]) > 0


def test_a_span_that_counts_its_calls_tokens_again_does_not_double_them(application, client):
    with application.span("ask", attributes={"gen_ai.operation.name": "chat"}) as span:
        answer = client.chat.completions.create(model=MODEL, messages=HELLO, extra_headers=headers())
        span.set_attribute("gen_ai.usage.input_tokens", answer.usage.prompt_tokens)
        span.set_attribute("gen_ai.usage.output_tokens", answer.usage.completion_tokens)
    trace = application.trace_of(span, calls=1)
    assert trace["input_tokens"] == answer.usage.prompt_tokens
    assert trace["output_tokens"] == answer.usage.completion_tokens


OPENTELEMETRY = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-5-mini",
    "gen_ai.usage.input_tokens": 7,
    "gen_ai.usage.output_tokens": 3,
    "gen_ai.input.messages": '[{"role":"user","content":"Hi"}]',
    "gen_ai.output.messages": '[{"role":"assistant","content":"Hello"}]',
    "gen_ai.conversation.id": "s-7",
    "user.id": "ada",
    "gen_ai.request.temperature": 0.5,
}
OPENINFERENCE = {
    "openinference.span.kind": "LLM",
    "llm.provider": "openai",
    "llm.model_name": "gpt-5-mini",
    "llm.token_count.prompt": 7,
    "llm.token_count.completion": 3,
    "llm.input_messages.0.message.role": "user",
    "llm.input_messages.0.message.content": "Hi",
    "llm.output_messages.0.message.role": "assistant",
    "llm.output_messages.0.message.content": "Hello",
    "session.id": "s-7",
    "user.id": "ada",
    "llm.invocation_parameters": '{"temperature":0.5}',
}
LANGFUSE = {
    "langfuse.observation.type": "generation",
    "gen_ai.system": "openai",
    "langfuse.observation.model.name": "gpt-5-mini",
    "langfuse.observation.usage_details": '{"input":7,"output":3}',
    "langfuse.observation.input": '[{"role":"user","content":"Hi"}]',
    "langfuse.observation.output": '[{"role":"assistant","content":"Hello"}]',
    "langfuse.session.id": "s-7",
    "langfuse.user.id": "ada",
    "langfuse.observation.model.parameters": '{"temperature":0.5}',
}


@pytest.mark.parametrize("names", [OPENTELEMETRY, OPENINFERENCE, LANGFUSE], ids=["otel", "openinference", "langfuse"])
def test_what_a_span_says_is_read_from_every_conventions_names(application, names):
    with application.span("ask", attributes=names) as span:
        pass
    trace = application.trace_of(span)
    (root,) = trace["roots"]
    assert (root["kind"], root["input_tokens"], root["output_tokens"]) == ("llm", 7, 3)
    assert root["input"] == [{"role": "user", "content": "Hi"}]
    assert root["output"] == [{"role": "assistant", "content": "Hello"}]
    assert (root["span"]["model"], root["span"]["provider"]) == ("gpt-5-mini", "openai")
    assert (trace["session"], trace["user"]) == ("s-7", "ada")
    # What has no field of its own is kept beside.
    assert "0.5" in json.dumps(root["span"]["attributes"])


def test_the_prompt_a_span_names_is_shown(application):
    names = {"langfuse.observation.prompt.name": "demo/support-reply", "langfuse.observation.prompt.version": 1}
    span = application.report(names)["span"]
    assert (span["prompt"], span["prompt_version"]) == ("demo/support-reply", 1)


def test_a_span_that_failed_says_why(application):
    with pytest.raises(ValueError), application.span("break") as span:
        raise ValueError("no such ticket")
    trace = application.trace_of(span)
    (root,) = trace["roots"]
    assert root["failed"] and trace["errors"] == 1
    assert "no such ticket" in root["span"]["status_message"]
    (event,) = root["span"]["events"]
    assert (event["name"], event["attributes"]["exception.type"]) == ("exception", "ValueError")


def test_many_spans_come_through_whole(application):
    with application.span("many") as span:
        for number in range(1_000):
            with application.span(f"step {number}") as step:
                step.set_status(Status(StatusCode.OK))
    trace = application.trace_of(span)
    (root,) = trace["roots"]
    assert trace["spans"] == 1_001 and len(root["children"]) == 1_000
    assert {child["name"] for child in root["children"]} == {f"step {number}" for number in range(1_000)}


def test_spans_with_a_wrong_key_are_refused(application, gateway):
    with application.span("ask") as span:
        pass
    stranger = exporter(gateway, "sk-nobodys")
    assert stranger.export([span]) == SpanExportResult.FAILURE
    stranger.shutdown()
    assert exporter(gateway).export([span]) == SpanExportResult.SUCCESS
