"""What MLflow shows, read with its own client: every span of the default experiment as a line of JSON.

    mlflow_spans.py TRACKING_URI
"""

import json
import sys

from mlflow import MlflowClient


def text(value):
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def shown(trace, span):
    usage = span.get_attribute("mlflow.chat.tokenUsage") or {}
    cost = span.llm_cost or {}
    prompt = span.get_attribute("weir.prompt.name")
    return {
        "trace_id": trace.info.trace_id.removeprefix("tr-"),
        "span_id": span.span_id,
        "parent_id": span.parent_id,
        "name": span.name,
        "kind": span.span_type,
        "failed": span.status.status_code.value == "ERROR",
        "model": span.model_name,
        "input_tokens": usage.get("input_tokens"),
        "output_tokens": usage.get("output_tokens"),
        "cost_usd": cost.get("total_cost"),
        "input": text(span.inputs),
        "output": text(span.outputs),
        "user": trace.info.trace_metadata.get("mlflow.trace.user"),
        "session": trace.info.trace_metadata.get("mlflow.trace.session"),
        "prompt": prompt and f"{prompt}@{span.get_attribute('weir.prompt.version')}",
        "state": trace.info.state.value,
        "trace_input": trace.info.request_preview,
        "trace_tokens": (trace.info.token_usage or {}).get("total_tokens"),
        "trace_cost_usd": (trace.info.cost or {}).get("total_cost"),
    }


def traces(client):
    """All of them, page by page."""
    page = client.search_traces(locations=["0"], max_results=100)
    yield from page
    while page.token:
        page = client.search_traces(locations=["0"], max_results=100, page_token=page.token)
        yield from page


for trace in traces(MlflowClient(tracking_uri=sys.argv[1])):
    for span in trace.data.spans:
        print(json.dumps(shown(trace, span)))
