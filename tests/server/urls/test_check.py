"""What a URL must look like, and what of it may be shown."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.urls.allowance import Allowance, parse_allowance
from server.urls.check import HTTP, LONGEST_URL, WEBSOCKET, check_url, safe_url, strip_fragment
from server.urls.errors import UrlRefused
from tests.server.urls.table import LOOPBACK_SPELLINGS, PUBLIC, REFUSED


def literal(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def refusal(url: str, allowance: Allowance | None = None) -> str:
    with pytest.raises(UrlRefused) as refused:
        check_url(url, allowance or Allowance())
    return refused.value.code


def test_a_url_is_taken_apart() -> None:
    url = check_url("HTTPS://anna:p%40ss@Example.com:8443/hooks/a?b=c&d#rc=2")
    assert (url.scheme, url.host, url.port, url.target) == ("https", "example.com", 8443, "/hooks/a?b=c&d")
    assert url.origin == ("https", "example.com", 8443)
    assert url.host_header == "example.com:8443"
    assert url.url == "https://example.com:8443/hooks/a?b=c&d"
    assert url.safe == "https://example.com:8443/hooks/a"


@pytest.mark.parametrize(
    ("text", "url", "host_header"),
    [
        ("http://example.com", "http://example.com/", "example.com"),
        ("http://example.com:80", "http://example.com/", "example.com"),
        ("http://example.com:/x", "http://example.com/x", "example.com"),
        ("https://example.com:443/", "https://example.com/", "example.com"),
        ("http://example.com:443/", "http://example.com:443/", "example.com:443"),
        ("http://example.com?x=1", "http://example.com/?x=1", "example.com"),
        ("http://[2606:4700::1]:8080/", "http://[2606:4700::1]:8080/", "[2606:4700::1]:8080"),
        ("http://0x08080808/", "http://8.8.8.8/", "8.8.8.8"),
        ("http://example.com/a b".replace(" ", "%20"), "http://example.com/a%20b", "example.com"),
        ("http://example.com/ü?ß", "http://example.com/%C3%BC?%C3%9F", "example.com"),
        ("http://example.com/<'{|}\">?[^`]", "http://example.com/<'{|}\">?[^`]", "example.com"),
    ],
)
def test_urls_have_one_form(text: str, url: str, host_header: str) -> None:
    checked = check_url(text)
    assert (checked.url, checked.host_header) == (url, host_header)


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("http://anna:secret@example.com/", b"anna:secret"),
        ("http://anna@example.com/", b"anna:"),
        ("http://anna:a%3Ab%2Fc%40d@example.com/", b"anna:a:b/c@d"),
        ("http://anna:a:b@example.com/", b"anna:a:b"),
        ("http://a%0d%0ab:ü@example.com/", "a\r\nb:ü".encode()),
    ],
)
def test_credentials_become_a_header_and_leave_the_url(text: str, pair: bytes) -> None:
    url = check_url(text)
    assert url.authorization == "Basic " + base64.b64encode(pair).decode()
    assert url.url == "http://example.com/"


def test_a_url_without_credentials_has_no_header() -> None:
    assert check_url("http://example.com/").authorization is None
    assert check_url("http://@example.com/").authorization is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com",
        "//example.com/",
        "/etc/passwd",
        "http:",
        "http:example.com",
        "http:///x",
        "http://",
        "http://:80/",
        "http://user@/",
        "file:///etc/passwd",
        "ftp://example.com/",
        "gopher://example.com/",
        "data:audio/wav;base64,AA",
        "javascript:alert(1)",
        "concat:http://example.com/",
        "ws://example.com/",
        "http://exa mple.com/",
        "http://example.com/a b",
        " http://example.com/",
        "http://example.com/\n",
        "http://example.com/\r\nX-Evil: 1",
        "http://example.com/\x00",
        "http://example.com/\x85",
        "ht\ttp://example.com/",
        "http://example.com\\@evil.example/",
        "http://example.com/\\x",
        "http://example.com:65536/",
        "http://example.com:-1/",
        "http://example.com:8\uff10/",
        "http://example.com:80:80/",
        "http://[::1/",
        "http://[::1]x/",
        "http://[::1]x:80/",
        "http://a[::1]/",
        "http://\u2100.example/",
        "http://example.com/\ud800",
        "http://256.0.0.1/",
        "http://exam%2fple.com/",
        "http://example.com/" + "a" * LONGEST_URL,
    ],
)
def test_what_is_no_url_of_ours_is_invalid(text: str) -> None:
    assert refusal(text) == "url_invalid"


def test_the_longest_url_is_taken_and_a_fragment_does_not_count() -> None:
    longest = "http://example.com/".ljust(LONGEST_URL, "a")
    assert check_url(longest + "#" + "f" * 100).url == longest


@pytest.mark.parametrize("port", [0, 1, 22, 25, 79, 81, 442, 444, 1023])
def test_ports_of_other_services_are_forbidden(port: int) -> None:
    assert refusal(f"http://example.com:{port}/") == "url_forbidden"


@pytest.mark.parametrize("port", [80, 443, 1024, 8080, 65535])
def test_ports_of_the_web_and_free_ones_are_allowed(port: int) -> None:
    assert check_url(f"http://example.com:{port}/").port == port


@pytest.mark.parametrize("scheme", WEBSOCKET)
def test_streams_may_have_websocket_urls(scheme: str) -> None:
    assert check_url(f"{scheme}://example.com/x", schemes=WEBSOCKET).scheme == scheme
    with pytest.raises(UrlRefused):
        check_url("http://example.com/x", schemes=WEBSOCKET)


@pytest.mark.parametrize("address", REFUSED)
def test_addresses_that_are_not_public_are_forbidden(address: str) -> None:
    assert refusal(f"http://{literal(address)}/") == "url_forbidden"


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address: str) -> None:
    assert check_url(f"http://{literal(address)}/").host == address


@pytest.mark.parametrize("spelling", LOOPBACK_SPELLINGS)
def test_no_spelling_hides_loopback(spelling: str) -> None:
    assert refusal(f"http://{spelling}/") == "url_forbidden"
    assert check_url(f"http://{spelling}/", parse_allowance("127.0.0.1")).host == "127.0.0.1"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost.", "a.localhost", "loc%61lhost"])
def test_localhost_is_loopback_by_name(host: str) -> None:
    assert refusal(f"http://{host}:8080/") == "url_forbidden"
    assert check_url(f"http://{host}:8080/", Allowance(everything=True)).port == 8080


@pytest.mark.parametrize(
    "text", ["http://a:SECRET@[::1", "http://a:SECRET@h:x/", "http://a:SECRET@h/?SECRET\n", "SECRET"]
)
def test_refusals_do_not_repeat_what_they_refuse(text: str) -> None:
    with pytest.raises(UrlRefused) as refused:
        check_url(text)
    assert "SECRET" not in str(refused.value) + repr(refused.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://a:SECRET@example.com:8443/x/y?token=SECRET#SECRET", "https://example.com:8443/x/y"),
        ("wss://example.com/stream?SECRET", "wss://example.com/stream"),
        ("http://127.0.0.1:22/x", "http://127.0.0.1:22/x"),
        ("http://a:SECRET@", "(not a usable URL)"),
        ("SECRET", "(not a usable URL)"),
        ("http://example.com/" + "a" * 1000, "http://example.com/" + "a" * 181),
    ],
)
def test_logs_see_scheme_host_and_path(text: str, shown: str) -> None:
    assert safe_url(text) == shown


def test_secrets_do_not_show_in_what_is_printed() -> None:
    assert "SECRET" not in repr(check_url("https://a:SECRET@example.com/x?token=SECRET"))


def test_fragments_are_stripped() -> None:
    assert strip_fragment("http://example.com/a?b#rc=2&rp=all") == ("http://example.com/a?b", "rc=2&rp=all")
    assert strip_fragment("http://example.com/a") == ("http://example.com/a", "")
    assert strip_fragment("http://example.com/#a#b") == ("http://example.com/", "a#b")


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_is_taken_or_refused_and_what_is_taken_fits_a_request_line(authority: str, rest: str) -> None:
    text = f"http://{authority}/{rest}"
    safe_url(text)
    try:
        url = check_url(text, Allowance(everything=True), schemes=HTTP)
    except UrlRefused:
        return
    assert all("!" <= character <= "~" for character in url.target + url.host_header)
    assert check_url(url.url, Allowance(everything=True)).origin == url.origin


@pytest.mark.parametrize(
    ("url", "longer"),
    [
        ("https://hooks.example", "https://hooks.example/?x=1"),
        ("https://hooks.example/a", "https://hooks.example/a?x=1"),
        ("https://hooks.example/a?b=c#d", "https://hooks.example/a?b=c&x=1"),
    ],
)
def test_a_query_of_ours_goes_behind_the_urls_own(url: str, longer: str) -> None:
    assert check_url(url).with_query("x=1").url == longer


@pytest.mark.parametrize(
    ("url", "left"),
    [
        ("https://hooks.example/x", "https://hooks.example/x"),
        ("https://hooks.example/?x", "https://hooks.example/"),
        ("https://hooks.example/?x=1&a=x&x=2&xx=3", "https://hooks.example/?a=x&xx=3"),
    ],
)
def test_a_parameter_is_taken_out_wherever_it_stands(url: str, left: str) -> None:
    assert check_url(url).without_query("x").url == left
