"""What every test of the suite gets: the gateway, unmodified OpenAI clients, and a provider that misbehaves."""

import os
import uuid

import gateway as weir
import pytest
from openai import AsyncOpenAI, OpenAI
from provider import Provider

PROMPT = "demo/support-reply"


@pytest.fixture(scope="session")
def provider():
    provider = Provider()
    yield provider
    provider.stop()


@pytest.fixture(scope="session")
def gateway(tmp_path_factory, provider):
    binary = os.environ.get("WEIR_BIN")
    assert binary, "set WEIR_BIN to the weir binary"
    running = weir.start(binary, tmp_path_factory.mktemp("data"), provider.url)
    yield running
    assert weir.stop(running) == 0, "".join(running.printed)


@pytest.fixture(scope="session")
def client(gateway):
    with OpenAI(base_url=gateway.base_url, api_key=weir.API_KEY) as client:
        yield client


@pytest.fixture
def async_client(gateway):
    return AsyncOpenAI(base_url=gateway.base_url, api_key=weir.API_KEY)


@pytest.fixture
def tag():
    """A tag that only this test's calls carry."""
    return f"test-{uuid.uuid4().hex}"


@pytest.fixture
def prompt():
    """The demo prompt as OpenAI's `prompt` object names it."""
    variables = {"customer": "Ada", "question": "Where is my order?"}
    return {"id": PROMPT, "version": "production", "variables": variables}
