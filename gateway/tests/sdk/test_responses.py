"""Responses through the unmodified SDK, with OpenAI's own `prompt` argument."""

import asyncio
import json

MODEL = "demo/demo-small"


def test_an_answer_by_prompt_echoes_the_prompt(client, prompt):
    answer = client.responses.create(prompt=prompt)
    assert "Ada asks: Where is my order?" in answer.output_text
    assert (answer.status, answer.model) == ("completed", "demo-small")
    assert answer.prompt.id == prompt["id"]
    assert answer.prompt.version.isdigit()
    assert answer.prompt.variables == prompt["variables"]
    assert answer.usage.input_tokens > 0 and answer.usage.output_tokens > 0


def test_a_stream_by_prompt_has_every_event_in_order(client, prompt):
    events = list(client.responses.create(prompt=prompt, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert (events[0].type, events[-1].type) == ("response.created", "response.completed")
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text == events[-1].response.output_text
    for event in events:
        if hasattr(event, "response"):
            assert event.response.prompt.id == prompt["id"]


def test_the_stream_helper_ends_with_the_response(client, prompt):
    with client.responses.stream(model=MODEL, input="Hi", prompt=prompt) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_response()
    assert {"response.created", "response.output_text.delta", "response.completed"} <= kinds
    assert "Ada asks: Where is my order?" in final.output_text


def test_an_asynchronous_client_gets_the_same(async_client, prompt):
    async def talk():
        async with async_client:
            whole = await async_client.responses.create(prompt=prompt)
            stream = await async_client.responses.create(prompt=prompt, stream=True)
            return whole, [event async for event in stream]

    whole, events = asyncio.run(talk())
    assert events[-1].response.output_text == whole.output_text


def test_input_and_instructions_of_the_caller_join_the_prompts(client, prompt):
    ask = {"model": "demo/demo-large", "prompt": prompt, "instructions": "Answer in German."}
    answer = client.responses.create(**ask, input="It is order 7.")
    assert "has 3 messages" in answer.output_text
    assert answer.instructions.endswith("Answer in German.")


def test_without_a_prompt_there_is_no_echo(client):
    answer = client.responses.create(model=MODEL, input="Where is my order?")
    assert "Where is my order?" in answer.output_text
    assert answer.prompt is None


def test_tools_are_called(client):
    tool = {
        "type": "function",
        "name": "look_up_order",
        "parameters": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]},
        "strict": False,
    }
    answer = client.responses.create(model=MODEL, input="Please look_up_order 7", tools=[tool])
    call = next(item for item in answer.output if item.type == "function_call")
    assert call.name == "look_up_order" and "id" in json.loads(call.arguments)


def test_an_imported_prompt_id_keeps_its_meaning(gateway, client):
    alias = {"id": "pmpt_68abc", "versions": {"7": 1}}
    gateway.call_admin("POST", "/prompts", {"name": "imported/reply", "aliases": [alias]})
    messages = [{"role": "user", "content": "Version one for {{customer}}"}]
    gateway.publish("imported/reply", {"messages": messages, "model": MODEL})

    variables = {"customer": {"type": "input_text", "text": "Ada"}}
    answer = client.responses.create(prompt={"id": "pmpt_68abc", "version": "7", "variables": variables})

    assert "Version one for Ada" in answer.output_text
    assert (answer.prompt.id, answer.prompt.version) == ("pmpt_68abc", "1")
