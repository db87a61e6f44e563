"""Models and embeddings through the unmodified SDK."""

import pytest
from openai import NotFoundError, OpenAI


def test_models_and_prompts_are_listed(client):
    ids = [model.id for model in client.models.list()]
    assert any(model.endswith("demo-small") for model in ids), ids
    assert "prompt:demo/support-reply" in ids


def test_a_listed_model_can_be_retrieved_and_called(client):
    listed = next(model.id for model in client.models.list() if model.id.endswith("demo-small"))
    assert client.models.retrieve(listed).id == listed
    answer = client.chat.completions.create(model=listed, messages=[{"role": "user", "content": "Hi"}])
    assert answer.choices[0].message.content


def test_a_model_the_key_may_not_call_is_not_found(gateway):
    client = OpenAI(base_url=gateway.base_url, api_key=gateway.make_key(models=["demo*"]))
    assert client.models.retrieve("demo/demo-small").id == "demo/demo-small"
    with pytest.raises(NotFoundError) as raised:
        client.models.retrieve("openai/gpt-4o")
    assert raised.value.code == "model_not_found"


def test_embeddings_come_as_numbers_in_either_encoding(client):
    ask = {"model": "demo/demo-embed", "input": ["Where is my order?", "Hello"]}
    packed = client.embeddings.create(**ask)
    written = client.embeddings.create(**ask, encoding_format="float")
    assert len(packed.data) == 2 and packed.usage.prompt_tokens > 0
    assert packed.data[0].embedding == pytest.approx(written.data[0].embedding, rel=1e-6)
    assert packed.data[0].embedding != packed.data[1].embedding
