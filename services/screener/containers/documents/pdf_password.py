"""Whether a PDF file needs a password, or is encrypted only to forbid printing and the like (ISO 32000-1, 7.6).

Many honest files are of the second kind: every reader opens them, with the empty password. Revision 6 of AES-256
(ISO 32000-2) is told by a computation that is not done here: such a file counts as one that needs a password.
"""

import hashlib
import re

_ENCRYPT = re.compile(rb"/Encrypt\s*(?:(\d{1,10})\s+(\d{1,5})\s+R\b|(<<))")
_IDENTIFIER = re.compile(rb"/ID\s*\[\s*(?=[<(])")
_LONGEST = 8192
_PAD = bytes.fromhex("28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a")
_SIMPLE = {0x6E: 10, 0x72: 13, 0x74: 9, 0x62: 8, 0x66: 12}


def encryption(text: bytes) -> bytes | None:
    """Return the dictionary that says how a file is encrypted, None if none does; empty if it cannot be found."""
    match = _ENCRYPT.search(text)
    if match is None:
        return None
    if match[3]:
        return text[match.start(3) : match.start(3) + _LONGEST]
    found = re.search(rb"(?<!\d)%d\s+%d\s+obj\b" % (int(match[1]), int(match[2])), text)
    return b"" if found is None else text[found.end() : found.end() + _LONGEST]


def opens_without(dictionary: bytes, text: bytes) -> bool:
    """Return whether the empty password opens a file (algorithms 2, 4 and 5; 3.2 of Adobe's extension level 3)."""
    revision, user, owner = _number(dictionary, b"R"), _string(dictionary, b"U"), _string(dictionary, b"O")
    if b"/Standard" not in dictionary or len(user) < 32 or len(owner) < 32:
        return False
    if revision == 5:
        return hashlib.sha256(user[32:40]).digest() == user[:32]
    if revision not in {2, 3, 4}:
        return False
    match = _IDENTIFIER.search(text)
    identifier = _string_at(text, match.end()) if match else b""
    key = _key(dictionary, owner[:32], identifier, revision)
    if revision == 2:
        return _rc4(key, _PAD) == user[:32]
    digest = _md5(_PAD + identifier)
    for number in range(20):
        digest = _rc4(bytes(octet ^ number for octet in key), digest)
    return digest == user[:16]


def _key(dictionary: bytes, owner: bytes, identifier: bytes, revision: int) -> bytes:
    size = 5 if revision == 2 else 16 if revision == 4 else max(5, min(16, _number(dictionary, b"Length") // 8))
    permissions = (_number(dictionary, b"P") & 0xFFFFFFFF).to_bytes(4, "little")
    hidden = b"\xff" * 4 if revision == 4 and re.search(rb"/EncryptMetadata\s+false", dictionary) else b""
    key = _md5(_PAD + owner + permissions + identifier + hidden)
    for _ in range(50 if revision > 2 else 0):
        key = _md5(key[:size])
    return key[:size]


def _number(dictionary: bytes, name: bytes) -> int:
    match = re.search(rb"/%s\s+(-?\d{1,10})" % name, dictionary)
    return int(match[1]) if match else 0


def _string(dictionary: bytes, name: bytes) -> bytes:
    match = re.search(rb"/%s\s*(?=[<(])" % name, dictionary)
    return _string_at(dictionary, match.end()) if match else b""


def _string_at(text: bytes, at: int) -> bytes:
    """Return a string in hexadecimal digits or in parentheses, escapes undone (7.3.4)."""
    if text[at : at + 1] == b"<":
        digits = re.sub(rb"[^0-9A-Fa-f]", b"", text[at : at + 600].partition(b">")[0])
        return bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode("ascii"))
    found, depth, at = bytearray(), 1, at + 1
    for _ in range(600):
        octet = text[at : at + 1]
        depth += (octet == b"(") - (octet == b")")
        if not depth:
            break
        if octet == b"\\":
            octal = re.match(rb"[0-7]{1,3}", text[at + 1 : at + 4])
            code = text[at + 1] if at + 1 < len(text) else 0
            found.append(int(octal[0], 8) & 0xFF if octal else _SIMPLE.get(code, code))
            at += 1 + (len(octal[0]) if octal else 1)
            continue
        found += octet
        at += 1
    return bytes(found)


def _md5(octets: bytes) -> bytes:
    return hashlib.md5(octets, usedforsecurity=False).digest()


def _rc4(key: bytes, octets: bytes) -> bytes:
    state, other = list(range(256)), 0
    for at in range(256):
        other = (other + state[at] + key[at % len(key)]) & 0xFF
        state[at], state[other] = state[other], state[at]
    out, one, other = bytearray(), 0, 0
    for octet in octets:
        one = (one + 1) & 0xFF
        other = (other + state[one]) & 0xFF
        state[one], state[other] = state[other], state[one]
        out.append(octet ^ state[(state[one] + state[other]) & 0xFF])
    return bytes(out)
