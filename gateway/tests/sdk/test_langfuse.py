"""Prompts through the unmodified Langfuse SDK: read, cached, compiled, written, and handed to LangChain."""

import time
import uuid

import gateway as weir
import pytest
from langchain_core.prompts import ChatPromptTemplate, PromptTemplate
from langfuse import Langfuse
from langfuse.api import AccessDeniedError, NotFoundError, UnauthorizedError

HISTORY = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}]
REPLY = [
    {"role": "system", "content": "Be {{tone}}. Answer as {\"answer\": \"…\"}."},
    {"type": "placeholder", "name": "history"},
    {"role": "user", "content": "{{question}}"},
]


def connect(gateway, secret):
    """A client of its own for each pair of keys: the SDK keeps one for each public key."""
    public = f"pk-lf-{uuid.uuid4().hex}"
    return Langfuse(public_key=public, secret_key=secret, base_url=gateway.data, tracing_enabled=False)


@pytest.fixture
def reader(gateway):
    client = connect(gateway, weir.API_KEY)
    yield client
    client.shutdown()


@pytest.fixture
def writer(gateway):
    client = connect(gateway, weir.ADMIN_TOKEN)
    yield client
    client.shutdown()


@pytest.fixture
def name():
    """A prompt of this test's own, in a folder."""
    return f"langfuse/{uuid.uuid4().hex}"


def test_either_secret_passes_the_check_and_a_wrong_one_does_not(gateway, reader, writer):
    assert reader.auth_check() and writer.auth_check()
    wrong = connect(gateway, "sk-lf-wrong")
    with pytest.raises(UnauthorizedError):
        wrong.auth_check()


def test_a_text_prompt_is_created_and_compiled(reader, writer, name):
    config = {"model": "demo/demo-small", "temperature": 0.2, "owner": "ann"}
    made = writer.create_prompt(
        name=name, prompt="Hi {{ name }}, {{missing}}", labels=["production"], tags=["greeting"], config=config,
        commit_message="the first",
    )
    read = reader.get_prompt(name)
    assert read == made and read.version == 1
    assert (read.labels, read.tags) == (["production", "latest"], ["greeting"])
    assert (read.config, read.commit_message) == (config, "the first")
    assert read.variables == ["name", "missing"]
    assert read.compile(name="{{missing}}") == "Hi {{missing}}, {{missing}}"


def test_a_chat_prompt_keeps_its_placeholders(reader, writer, name):
    writer.create_prompt(name=name, type="chat", prompt=REPLY, labels=["production"])
    read = reader.get_prompt(name, type="chat")
    assert read.compile(tone="kind", question="Why?", history=HISTORY) == [
        {"role": "system", "content": "Be kind. Answer as {\"answer\": \"…\"}."},
        *HISTORY,
        {"role": "user", "content": "Why?"},
    ]
    assert read.compile(tone="kind", question="Why?")[1] == {"type": "placeholder", "name": "history"}


def test_versions_are_read_by_label_and_number(reader, writer, name):
    for text in ["one", "two", "three"]:
        writer.create_prompt(name=name, prompt=text, labels=["staging"] if text == "two" else [])
    assert reader.get_prompt(name, version=1).prompt == "one"
    assert reader.get_prompt(name, label="staging").prompt == "two"
    assert reader.get_prompt(name, label="latest").prompt == "three"
    with pytest.raises(NotFoundError) as raised:
        reader.get_prompt(name, max_retries=0)
    assert raised.value.body["message"] == f"Prompt not found: '{name}' with label 'production'"


def test_labels_move_from_version_to_version(reader, writer, name):
    for text in ["one", "two"]:
        writer.create_prompt(name=name, prompt=text, labels=["production"])
    writer.update_prompt(name=name, version=1, new_labels=["production", "stable"])
    read = reader.get_prompt(name, cache_ttl_seconds=0)
    assert (read.version, read.labels) == (1, ["production", "stable"])


def test_a_prompt_is_cached_and_refreshed_behind_the_scenes(reader, writer, name):
    writer.create_prompt(name=name, prompt="one", labels=["production"])
    assert reader.get_prompt(name, cache_ttl_seconds=1).prompt == "one"
    writer.create_prompt(name=name, prompt="two", labels=["production"])
    assert reader.get_prompt(name, cache_ttl_seconds=1).prompt == "one", "it is cached"
    deadline = time.monotonic() + weir.PATIENCE_S
    while reader.get_prompt(name, cache_ttl_seconds=1).prompt != "two":
        assert time.monotonic() < deadline, "the cache is never refreshed"
        time.sleep(0.02)


def test_a_fallback_serves_when_there_is_no_prompt(reader, name):
    read = reader.get_prompt(name, fallback="Hi {{name}}", max_retries=0)
    assert read.is_fallback and read.compile(name="Ada") == "Hi Ada"


def test_a_deleted_prompt_is_gone(reader, writer, name):
    writer.create_prompt(name=name, prompt="one", labels=["production"])
    writer.api.prompts.delete(writer._url_encode(name))
    with pytest.raises(NotFoundError):
        reader.get_prompt(name, cache_ttl_seconds=0, max_retries=0)


def test_prompts_are_listed_page_by_page(reader, writer, tag):
    names = sorted(f"langfuse/{uuid.uuid4().hex}" for _ in range(3))
    for name in names:
        writer.create_prompt(name=name, prompt="one", labels=["production"], tags=[tag], config={"max_tokens": 5})
    pages = [reader.api.prompts.list(tag=tag, page=page, limit=2) for page in (1, 2)]
    assert [meta.name for page in pages for meta in page.data] == names
    assert (pages[0].meta.total_items, pages[0].meta.total_pages) == (3, 2)
    first = pages[0].data[0]
    assert (first.type, first.versions, first.labels) == ("text", [1], ["production", "latest"])
    assert first.last_config == {"max_tokens": 5}


def test_a_virtual_key_writes_nothing(reader, name):
    with pytest.raises(AccessDeniedError) as raised:
        reader.create_prompt(name=name, prompt="one")
    assert "admin token" in raised.value.body["message"]


def test_langchain_takes_the_prompts(reader, writer, name):
    writer.create_prompt(name=name, type="chat", prompt=REPLY, labels=["production"])
    template = ChatPromptTemplate.from_messages(reader.get_prompt(name, type="chat").get_langchain_prompt())
    filled = template.invoke({"tone": "kind", "question": "Why?", "history": [("user", "Hello")]})
    assert [message.content for message in filled.to_messages()] == [
        "Be kind. Answer as {\"answer\": \"…\"}.", "Hello", "Why?",
    ]
    writer.create_prompt(name=f"{name}-text", prompt="Hi {{name}}", labels=["production"])
    text = PromptTemplate.from_template(reader.get_prompt(f"{name}-text").get_langchain_prompt())
    assert text.format(name="Ada") == "Hi Ada"


def test_what_langfuse_wrote_serves_calls_by_name(client, writer, name):
    config = {"model": "demo/demo-small", "max_tokens": 64, "owner": "ann"}
    writer.create_prompt(name=name, type="chat", prompt=REPLY, labels=["production"], config=config)
    variables = {"tone": "kind", "question": "Where is my order?"}
    answer = client.responses.create(prompt={"id": name, "variables": variables})
    assert answer.output_text and answer.prompt.version == "1"
