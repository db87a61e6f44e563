"""Chat completions through the unmodified SDK."""

import asyncio
import json

from pydantic import BaseModel

MODEL = "demo/demo-small"
HELLO = [{"role": "user", "content": "Where is my order?"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "look_up_order",
        "description": "Finds an order.",
        "parameters": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]},
    },
}


def text_of(chunks):
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def test_an_answer_is_whole(client):
    answer = client.chat.completions.create(model=MODEL, messages=HELLO)
    assert "Where is my order?" in answer.choices[0].message.content
    assert (answer.choices[0].finish_reason, answer.object) == ("stop", "chat.completion")
    assert answer.usage.prompt_tokens > 0 and answer.usage.completion_tokens > 0


def test_a_stream_says_the_same_as_the_whole_answer(client):
    whole = client.chat.completions.create(model=MODEL, messages=HELLO)
    chunks = list(client.chat.completions.create(model=MODEL, messages=HELLO, stream=True))
    assert len(chunks) > 3
    assert text_of(chunks) == whole.choices[0].message.content
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_usage_ends_a_stream_when_it_is_asked_for_and_only_then(client):
    def stream(**options):
        return list(client.chat.completions.create(model=MODEL, messages=HELLO, stream=True, **options))

    asked = stream(stream_options={"include_usage": True})
    assert asked[-1].choices == [] and asked[-1].usage.total_tokens > 0
    assert all(chunk.usage is None and chunk.choices for chunk in stream())


def test_an_asynchronous_client_gets_the_same(async_client):
    async def talk():
        async with async_client:
            whole = await async_client.chat.completions.create(model=MODEL, messages=HELLO)
            stream = await async_client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
            return whole, [chunk async for chunk in stream]

    whole, chunks = asyncio.run(talk())
    assert text_of(chunks) == whole.choices[0].message.content


def test_many_asynchronous_calls_at_once_are_all_answered(async_client):
    async def talk():
        async with async_client:
            calls = [
                async_client.chat.completions.create(
                    model=MODEL, messages=[{"role": "user", "content": f"Number {number}"}]
                )
                for number in range(50)
            ]
            return await asyncio.gather(*calls)

    for number, answer in enumerate(asyncio.run(talk())):
        assert f"Number {number}”" in answer.choices[0].message.content


def test_a_prompt_named_in_extra_body_is_rendered(client, prompt):
    answer = client.chat.completions.create(model="", messages=[], extra_body={"prompt": prompt})
    text = answer.choices[0].message.content
    assert "Ada asks: Where is my order?" in text and "Northwind" in text


def test_a_prompt_named_in_extra_body_streams(client, prompt):
    stream = client.chat.completions.create(model="", messages=[], stream=True, extra_body={"prompt": prompt})
    assert "Ada asks: Where is my order?" in text_of(stream)


def test_a_prompt_named_as_the_model_is_rendered(client):
    answer = client.chat.completions.create(
        model="prompt:demo/support-reply@production",
        messages=[{"role": "user", "content": "I wrote yesterday."}],
        extra_body={"prompt_variables": {"question": "And today?"}},
    )
    assert "A customer asks: And today?" in answer.choices[0].message.content


def test_the_stream_helper_puts_events_together(client):
    with client.chat.completions.stream(model=MODEL, messages=HELLO) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert "content.delta" in kinds and "content.done" in kinds
    assert "Where is my order?" in final.choices[0].message.content


def test_tools_are_called_whole_and_streamed(client):
    ask = [{"role": "user", "content": "Please look_up_order 7"}]
    call = client.chat.completions.create(model=MODEL, messages=ask, tools=[TOOL]).choices[0].message.tool_calls[0]
    assert call.function.name == "look_up_order"
    assert "id" in json.loads(call.function.arguments)

    chunks = list(client.chat.completions.create(model=MODEL, messages=ask, tools=[TOOL], stream=True))
    deltas = [delta for chunk in chunks for delta in chunk.choices[0].delta.tool_calls or []]
    assert [delta.function.name for delta in deltas if delta.function.name] == ["look_up_order"]
    assert "".join(delta.function.arguments or "" for delta in deltas) == call.function.arguments
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_an_answer_is_parsed_into_a_type(client):
    class Reply(BaseModel):
        summary: str
        urgent: bool

    parsed = client.chat.completions.parse(model=MODEL, messages=HELLO, response_format=Reply)
    assert isinstance(parsed.choices[0].message.parsed, Reply)


def test_headers_say_how_the_answer_came_about(client, prompt):
    raw = client.chat.completions.with_raw_response.create(model="", messages=[], extra_body={"prompt": prompt})
    assert raw.headers["weir-prompt"].startswith("demo/support-reply@")
    assert raw.headers["weir-prompt-label"] == "production"
    assert (raw.headers["weir-provider"], raw.headers["weir-model"]) == ("demo", "demo-small")
    assert raw.headers["weir-attempts"] == "1"
    assert float(raw.headers["weir-cost-usd"]) > 0
    assert raw.headers["x-request-id"] == raw.headers["weir-call-id"] == raw.parse()._request_id


def test_completions_of_old_are_answered(client):
    answer = client.completions.create(model=MODEL, prompt="Once upon a time")
    assert answer.choices[0].text
    pieces = client.completions.create(model=MODEL, prompt="Once upon a time", stream=True)
    assert "".join(piece.choices[0].text for piece in pieces if piece.choices) == answer.choices[0].text
