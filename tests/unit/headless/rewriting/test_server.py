"""Servers that speak OpenAI's chat protocol: what they are sent, and what of their answers is taken."""

import base64
import threading
from collections.abc import Callable

import pytest

from reelpatch.errors import BadInput
from reelpatch.headless.rewriting.server import KEY_VARIABLE, ask, check_url, first_model
from reelpatch.recipes.rewriting import Chat
from tests.unit.headless.rewriting.conftest import Server

CHAT = Chat("Rewrite.", "lego", 1)
PATIENCE_S = 30.0


def asked(server: Server, timeout_s: float = PATIENCE_S) -> str:
    return ask(server.url, "tiny", CHAT, [b"jpeg"], timeout_s=timeout_s)


def test_it_is_sent_rules_pictures_and_request(server: Server) -> None:
    assert asked(server) == server.answer
    (sent,) = server.asked
    rules, request = sent["messages"]
    assert sent["model"] == "tiny"
    assert (rules["role"], rules["content"]) == ("system", "Rewrite.")
    picture, text = request["content"]
    assert base64.b64decode(picture["image_url"]["url"].removeprefix("data:image/jpeg;base64,")) == b"jpeg"
    assert text == {"type": "text", "text": "lego"}
    assert server.keys == [None]


def test_without_pictures_the_request_is_plain_text(server: Server) -> None:
    ask(server.url, "tiny", Chat("Rewrite.", "lego", 0), [], timeout_s=PATIENCE_S)
    assert server.asked[0]["messages"][1]["content"] == "lego"


def test_the_key_comes_from_the_environment(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "secret")
    asked(server)
    assert server.keys == ["Bearer secret"]
    with pytest.raises(BadInput, match=rf"key in {KEY_VARIABLE} would go to example\.org unencrypted"):
        check_url("http://example.org/v1")
    assert check_url("https://example.org/v1/") == "https://example.org/v1"


def test_the_first_model_is_taken(server: Server) -> None:
    server.models = ("one", "two")
    assert first_model(server.url, timeout_s=PATIENCE_S) == "one"
    server.models = ()
    with pytest.raises(BadInput, match="lists no models"):
        first_model(server.url, timeout_s=PATIENCE_S)


def _with(**values: object) -> Callable[[Server], None]:
    def change(server: Server) -> None:
        for name, value in values.items():
            setattr(server, name, value)

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_with(status=500, raw=b"out of\nmemory"), r"answered with an error \(HTTP 500: out of memory\)"),
        (_with(status=401, raw=b"x" * 10_000), r"HTTP 401: x{120}\.\.\."),
        (_with(status=500, raw=b"x" * 100_000), "HTTP 500"),
        (_with(raw=b"x" * 100_000), "answered with more than 64 kB"),
        (_with(raw=b"<html>"), "something else than JSON"),
        (_with(raw=b"[" * 60_000), "something else than JSON"),
        (_with(raw=b"[]"), "something else than JSON"),
        (_with(raw=b"{}"), "with no message"),
        (_with(raw=b'{"choices": [7]}'), "with no message"),
        (_with(message={"refusal": "No."}), r"refused to rewrite the instruction \(No\.\)"),
        (_with(finish_reason="content_filter"), "filter held back"),
        (_with(sends_to="http://127.0.0.1:9/elsewhere"), "HTTP 302"),
    ],
)
def test_what_is_no_answer_is_one_sentence(
    change: Callable[[Server], None], said: str, server: Server
) -> None:
    change(server)
    with pytest.raises(BadInput, match=said) as error:
        asked(server)
    assert len(str(error.value)) < 300
    assert "\n" not in str(error.value)
    assert error.value.settings == ("rewrite_url",)


def test_a_message_without_text_is_an_empty_answer(server: Server) -> None:
    server.message = {"content": None}
    assert asked(server) == ""


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("name", ["waits_s", "drips"])
def test_waiting_has_an_end(name: str, status: int, server: Server) -> None:
    setattr(server, name, 2 if name == "waits_s" else True)
    server.status, server.raw = status, b"x" * 1000
    with pytest.raises(BadInput, match=r"did not answer within 0\.3 s: give it longer \(--rewrite-timeout\)"):
        asked(server, timeout_s=0.3)


def test_no_server_is_one_sentence() -> None:
    with pytest.raises(BadInput, match=r"http://127\.0\.0\.1:9/v1 cannot be reached"):
        ask("http://127.0.0.1:9/v1", "tiny", CHAT, [], timeout_s=PATIENCE_S)


@pytest.mark.parametrize("url", ["", "localhost:11434", "file:///etc/passwd", "ftp://x/v1", "http://"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(BadInput, match="is no address of a server"):
        check_url(url)


def test_several_at_once_do_not_mix(server: Server) -> None:
    answers: list[str] = []
    threads = [threading.Thread(target=lambda: answers.append(asked(server))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [server.answer] * 4
