"""Names, addresses, schemas and results of MCP servers, each as a table."""

from __future__ import annotations

import base64
import importlib.metadata

import pytest
from mcp import Tool as Offered
from mcp_types import (
    BlobResourceContents,
    CallToolResult,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)

import nbagent.mcp.errors
from nbagent import MCPServer
from nbagent.errors import ConfigurationError, ToolDefinitionError
from nbagent.mcp import MCPToolError
from nbagent.mcp.tool_list import ToolFilter, tools_from, usable_name
from nbagent.mcp.tool_result import value_of
from nbagent.mcp.transports import HttpAddress, StdioAddress
from nbagent.tools import ToolArgumentsError, parse_arguments


async def _call(name, arguments):
    return name, arguments


def offered(name: str, **schema) -> Offered:
    """A tool as a server lists it."""
    return Offered(name=name, input_schema={"type": "object", **schema})


@pytest.mark.parametrize(
    ("address", "name", "shown"),
    [
        (StdioAddress(command="npx", args=("-y", "@scope/server-files", "/data")), "server-files", None),
        (StdioAddress(command="/usr/bin/uvx", args=("mcp-server-git",)), "mcp-server-git", None),
        (StdioAddress(command="python3.12", args=("-m", "my_server")), "my_server", None),
        (StdioAddress(command="uv", args=("run", "server.py")), "server", None),
        (StdioAddress(command="python", args=("-c", "import x; x.run()")), "python", None),
        (
            StdioAddress(command="pg", args=("postgresql://me:pw@host/db", "--api-key", "abcdefgh", "--token=ijklmnop")),
            "pg",
            "pg postgresql://host/db --api-key [secret] --token=[secret]",
        ),
        (HttpAddress(url="https://me:pw@host/mcp?key=abc", headers={"a": "b"}), "host", "https://host/mcp"),
    ],
)  # fmt: skip
def test_addresses_name_servers_without_their_secrets(address, name, shown):
    """The default name says what is started; what is shown holds no password, key, token, query or header."""
    assert address.default_name == name
    if shown is not None:
        assert address.display_name == shown
    assert "headers" not in repr(address)


@pytest.mark.parametrize(
    ("name", "usable"),
    [("read.file", "read_file"), ("über dir", "_ber_dir"), ("a-b_C9", "a-b_C9"), ("", "_")],
)
def test_names_are_such_as_providers_take(name, usable):
    """What providers refuse becomes an underscore."""
    assert usable_name(name) == usable


def test_long_names_stay_apart():
    """Names cut to 64 characters end in a hash of the whole."""
    one, two = usable_name("a" * 80), usable_name("a" * 81)
    assert len(one) == len(two) == 64
    assert one != two


def test_two_names_that_become_one_are_an_error():
    """Both are named."""
    with pytest.raises(ToolDefinitionError, match=r"'a\.b' and 'a b' .* both named 'a_b'"):
        tools_from("s", [offered("a.b"), offered("a b")], ToolFilter(), _call)


def test_a_broken_schema_is_an_error_and_a_foreign_reference_is_not_fetched():
    """A schema that is none is said at once; a reference to elsewhere is a problem of the call."""
    with pytest.raises(ToolDefinitionError, match="schema of tool 't' of MCP server 's' is wrong"):
        tools_from("s", [offered("t", properties={"a": {"type": "strin"}})], ToolFilter(), _call)
    listing = [offered("t", properties={"a": {"$ref": "http://127.0.0.1:9/schema"}})]
    (made,) = tools_from("s", listing, ToolFilter(), _call)
    with pytest.raises(ToolArgumentsError, match="unknown reference"):
        parse_arguments(made, '{"a": 1}')


def test_arguments_go_as_they_came():
    """Nothing is converted, no default filled in, and any property name will do."""
    (made,) = tools_from("s", [offered("t", properties={"self": {"type": "number"}})], ToolFilter(), _call)
    assert parse_arguments(made, '{"self": 1.0, "more": [null]}') == {"self": 1.0, "more": [None]}


def result(*content, **fields) -> CallToolResult:
    """A result of these blocks."""
    return CallToolResult(content=list(content), **fields)


def text(said: str) -> TextContent:
    """A text block."""
    return TextContent(text=said)


LINK = ResourceLink(name="log", uri="file:///log")
RESOURCE = EmbeddedResource(resource=TextResourceContents(uri="file:///a", text="inside"))


@pytest.mark.parametrize(
    ("given", "value"),
    [
        (result(text("a"), text("b")), "a\nb"),
        (result(), ""),
        (result(text('{"b": 1, "a": 2}'), structured_content={"a": 2, "b": 1}), {"a": 2, "b": 1}),
        (result(text("x"), text("y"), structured_content={"result": ["x", "y"]}), {"result": ["x", "y"]}),
        (result(text("3"), structured_content={"result": 3}), {"result": 3}),
        (result(text("Sunny."), structured_content={"sun": True}), '{"sun": true}\nSunny.'),
        (
            result(ImageContent(data="MTIzNDU=", mime_type="image/png"), LINK, RESOURCE),
            "[image, image/png, 5 bytes]\n[resource 'log': file:///log]\n[resource file:///a]\ninside",
        ),
    ],
)
def test_results_as_the_model_gets_them(given, value):
    """Structured content is JSON data, text that only repeats it is left out, binary parts are named."""
    assert value_of(given) == value


SIGNED = {
    "image/png": b"\x89PNG\r\n\x1a\n0",
    "image/jpeg": b"\xff\xd8\xff0",
    "application/pdf": b"%PDF-1.4",
}


@pytest.mark.parametrize("media_type", SIGNED)
@pytest.mark.parametrize("said", [(), (text("a dot"),)])
def test_pictures_and_documents_come_as_files(media_type, said):
    """A part that is a picture or PDF by its first bytes is a file after the text; the loop sends it as one."""
    data = base64.b64encode(SIGNED[media_type]).decode()
    block = (
        ImageContent(data=data, mime_type=media_type)
        if "image" in media_type
        else EmbeddedResource(resource=BlobResourceContents(uri="file:///b", blob=data, mime_type=media_type))
    )
    *told, file = value_of(result(*said, block))
    assert told == [one.text for one in said]
    assert (file.media_type, file.data) == (media_type, data)


def test_an_error_result_raises_what_it_says():
    """`isError` is a failure of the tool."""
    with pytest.raises(MCPToolError, match="no such share"):
        value_of(result(text("no such share"), is_error=True))


@pytest.mark.parametrize(
    ("installed", "said"),
    [
        (None, "which is not installed\npip install"),
        ("1.30.0", "need mcp 2 or newer, and 1.30.0 is installed"),
    ],
)
def test_the_missing_extra_is_said_at_once(monkeypatch, installed, said):
    """Two lines, with the command that helps."""

    def version(name):
        if installed is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return installed

    monkeypatch.setattr(nbagent.mcp.errors.importlib.metadata, "version", version)
    with pytest.raises(ConfigurationError, match=said) as raised:
        MCPServer.stdio("npx")
    assert 'nbagent-jupyter[mcp]"' in raised.value.todo
