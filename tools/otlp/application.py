"""An application beside Weir: a span of its own around one call, sent to the server that Weir's spans go to as well.

    application.py TRACES_URL NAME=VALUE… -- CALL_URL KEY BODY

The header lines before `--` go with the span. Prints the call's id.
"""

import sys
import urllib.request

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagate import inject
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


def call(url, key, body):
    """Makes the call as part of the current span's trace, and returns its id."""
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    inject(headers)
    with urllib.request.urlopen(urllib.request.Request(url, body.encode(), headers)) as answer:
        answer.read()
        return answer.headers["weir-call-id"]


def main(words):
    between = words.index("--")
    endpoint, headers = words[0], dict(word.split("=", 1) for word in words[1:between])
    provider = TracerProvider(resource=Resource.create({"service.name": "helpdesk"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, headers=headers)))
    with provider.get_tracer("helpdesk").start_as_current_span("answer ticket"):
        print(call(*words[between + 1 :]))
    if not provider.force_flush():
        sys.exit("the application's span was not taken")
    provider.shutdown()


main(sys.argv[1:])
