"""Errors as the SDK raises them: the class, the code, the field, and how often was tried."""

import openai
import pytest
from gateway import API_KEY
from openai import OpenAI

MODEL = "demo/demo-small"
HELLO = [{"role": "user", "content": "Hi"}]


def chat(client, **ask):
    return client.chat.completions.create(**{"model": MODEL, "messages": HELLO, **ask})


def raised_by(call, kind):
    with pytest.raises(kind) as raised:
        call()
    assert type(raised.value) is kind
    return raised.value


def test_a_wrong_key_is_an_authentication_error(gateway):
    client = OpenAI(base_url=gateway.base_url, api_key="sk-nobodys")
    error = raised_by(lambda: chat(client), openai.AuthenticationError)
    assert (error.status_code, error.code) == (401, "invalid_api_key")
    assert "sk-nobodys" not in str(error)


def test_a_key_for_something_else_is_a_permission_error(gateway):
    client = OpenAI(base_url=gateway.base_url, api_key=gateway.make_key(models=["gpt-*"]))
    error = raised_by(lambda: chat(client), openai.PermissionDeniedError)
    assert (error.code, error.param) == ("permission_denied", "model")


def test_an_unknown_prompt_is_not_found(client):
    prompt = {"id": "nothing/like-that"}
    error = raised_by(lambda: client.responses.create(prompt=prompt), openai.NotFoundError)
    assert error.code == "prompt_not_found" and "nothing/like-that" in error.message


def test_missing_variables_are_unprocessable_and_named(client):
    prompt = {"id": "demo/support-reply"}
    error = raised_by(lambda: client.responses.create(prompt=prompt), openai.UnprocessableEntityError)
    assert error.code == "missing_variables" and "question" in error.message


def test_a_bad_request_is_one(client):
    error = raised_by(lambda: chat(client, extra_body={"weir": 7}), openai.BadRequestError)
    assert (error.code, error.type) == ("invalid_request", "invalid_request_error")
    assert error.request_id


def test_a_providers_refusal_keeps_its_words(client, provider):
    error = raised_by(lambda: chat(client, model="openai/too-long"), openai.BadRequestError)
    assert (error.code, error.param) == ("context_length_exceeded", "messages")
    assert len(provider.calls("too-long")) == 1


def test_a_rate_limit_is_not_tried_by_the_client_on_top(client, provider):
    error = raised_by(lambda: chat(client, model="openai/rate-limited"), openai.RateLimitError)
    assert error.code == "rate_limit_exceeded"
    assert len(provider.calls("rate-limited")) == 2, "the gateway's own tries and no more"


def test_a_spent_quota_is_asked_for_once(client, provider):
    error = raised_by(lambda: chat(client, model="openai/out-of-quota"), openai.RateLimitError)
    assert error.code == "insufficient_quota"
    assert len(provider.calls("out-of-quota")) == 1


def test_a_broken_provider_is_a_server_error(gateway):
    client = OpenAI(base_url=gateway.base_url, api_key=API_KEY, max_retries=0)
    for model in ["broken", "html"]:
        error = raised_by(lambda: chat(client, model=f"openai/{model}"), openai.InternalServerError)
        assert (error.status_code, error.code) == (502, "upstream_error")


def test_the_gateways_own_credentials_are_not_the_callers(gateway):
    client = OpenAI(base_url=gateway.base_url, api_key=API_KEY, max_retries=0)
    error = raised_by(lambda: chat(client, model="openai/locked-out"), openai.InternalServerError)
    assert (error.status_code, error.code) == (502, "upstream_credentials")


def test_a_stream_that_breaks_raises_instead_of_ending(client):
    for model in ["cut-stream", "unfinished-stream"]:
        stream = chat(client, model=f"openai/{model}", stream=True)
        assert next(stream).choices[0].delta.content == "Hel"
        error = raised_by(lambda: list(stream), openai.APIError)
        assert error.code == "upstream_error", model


def test_the_client_says_nothing_of_itself_to_the_provider(client, provider):
    raised_by(lambda: chat(client, model="openai/too-long"), openai.BadRequestError)
    headers = {name.lower(): value for name, value in provider.calls("too-long")[-1]["headers"].items()}
    assert headers["authorization"] == "Bearer sk-of-the-scripted-provider"
    assert not any(name.startswith("x-stainless") for name in headers)
    assert "openai" not in headers["user-agent"].lower() and "accept-encoding" not in headers
