"""The whole promise once: call by name, find the call again, move the label, get the new version."""

import openai
import pytest

MODEL = "demo/demo-small"


def weir_tag(tag):
    return {"weir": {"tags": [tag]}}


def test_every_call_is_found_by_its_prompt_with_version_tokens_cost_and_latency(gateway, client, prompt, tag):
    extra = weir_tag(tag)
    client.responses.create(prompt=prompt, extra_body=extra)
    list(client.responses.create(prompt=prompt, stream=True, extra_body=extra))
    client.chat.completions.create(model="", messages=[], extra_body={"prompt": prompt, **extra})
    list(client.chat.completions.create(model="", messages=[], stream=True, extra_body={"prompt": prompt, **extra}))

    calls = gateway.find(f"prompt:demo/support-reply tag:{tag}", 4)

    for call in calls:
        assert (call["prompt"], call["prompt_version"], call["prompt_label"]) == (prompt["id"], 1, "production")
        assert call["outcome"] == "ok" and call["input_tokens"] > 0 and call["output_tokens"] > 0
        assert call["cost_nanousd"] > 0
        assert call["duration_us"] > 0 and call["ttft_us"] > 0
        assert call["variables"] == prompt["variables"]
    assert [(call["endpoint"], call["streaming"]) for call in reversed(calls)] == [
        ("responses", False),
        ("responses", True),
        ("chat_completions", False),
        ("chat_completions", True),
    ]


def test_a_moved_label_answers_with_the_new_version(gateway, client, tag):
    for number in (1, 2):
        message = {"role": "user", "content": f"This is version {number}"}
        gateway.publish("sdk/moved", {"messages": [message], "model": MODEL})
    for number in (1, 2, 1):
        gateway.move_label("sdk/moved", "production", number)
        answer = client.responses.create(prompt={"id": "sdk/moved"}, extra_body=weir_tag(tag))
        assert f"This is version {number}" in answer.output_text
        assert answer.prompt.version == str(number)

    calls = gateway.find(f"prompt:sdk/moved tag:{tag}", 3)
    assert [call["prompt_version"] for call in reversed(calls)] == [1, 2, 1]


def test_a_failed_call_is_found_with_its_error(gateway, client, tag):
    with pytest.raises(openai.UnprocessableEntityError):
        client.responses.create(prompt={"id": "demo/support-reply"}, extra_body=weir_tag(tag))
    (call,) = gateway.find(f"tag:{tag} prompt:demo/support-reply outcome:caller_error")
    assert (call["status"], call["error_code"]) == (422, "missing_variables")


def test_a_stream_left_early_is_recorded_as_cancelled_or_whole(gateway, client, tag):
    stream = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Hi"}], stream=True, extra_body=weir_tag(tag)
    )
    next(stream)
    stream.close()
    (call,) = gateway.find(f"tag:{tag}")
    assert call["outcome"] in ("cancelled", "ok") and call["status"] == 200


def test_users_and_metadata_of_openai_are_found(gateway, client, tag):
    client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "Refund policy, please"}],
        safety_identifier=f"user-{tag}",
        metadata={"ticket": tag},
    )
    (call,) = gateway.find(f'user:user-{tag} metadata.ticket:{tag} "refund policy"')
    assert call["response_preview"]
