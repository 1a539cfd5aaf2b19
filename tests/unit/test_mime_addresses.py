"""Which pages may bring a file along in a `data:` address: every spelling that a browser takes, and what is none."""

import pytest

from services.screener.mime.addresses import may_hold_data


@pytest.mark.parametrize(
    "page",
    [
        b"<a href=data:a/b,c>",
        b"<a href=DATA:text/html;base64,c>",
        b"<a href='data: ;base64,c'>",
        b"<a href='d\r\nat\ta:,c'>",
        b"<a href=data&colon;a/b,c>",
        b"<a href=&#100;ata:a/b,c>",
        b"<a href=&#x0064;ata:a/b,c>",
        b"<a href=da&#9;ta:a/b,c>",
    ],
)
def test_an_address_with_data_is_noticed(page: bytes) -> None:
    assert may_hold_data(page)


@pytest.mark.parametrize("page", [b"", b"<p>data: 12/03/2024", b"<p>data:", b"<p>a &amp; b &#39; c", b"a & b"])
def test_other_text_is_none(page: bytes) -> None:
    assert not may_hold_data(page)
