"""The built-in lists say what SCREENING section 3 says: one case for each name and each type."""

import pytest

from services.screener.rules import compile_rules, judge
from services.screener.rules.defaults import EXTENSIONS, SUSPICIOUS, TYPES
from shared.config.model import Rules
from shared.model import Direction

OF_TEN = {
    10: "exe, pif, scr, vbs",
    9: "bat, cmd, com, cpl, hta, lnk, sct, vbe, wsc, wsf, wsh",
    8: "chm, ins, jse, msc, msp, mst, shb, vb",
    7: "ade, adp, isp, js, mde, msi, reg",
    6: "app, dll, jar, scf, shs",
    5: "bas, cab, fxp, hlp, inf, jnlp, lib, mda, mdb, mdz, pcd, prf, prg, ps1, sys, url, vxd, xll, xnk",
    4: "asx, crt, csh, diagcab, iso, its, ksh, mad, maf, mag, mam, maq, mar, mas, mau, mav, maw, mdt, mdw, ops, "
    "ps1xml, ps2, ps2xml, psc1, psc2, pst, vhd, vsmacros, vsw, ws",
}
"""Extensions by how many of the ten lists compared have them."""
NEWER = (
    "img vhd vhdx wim appx appxbundle msix msixbundle appinstaller application appref-ms library-ms search-ms "
    "searchConnector-ms settingcontent-ms wsb mjs xbap website psd1 psm1 cdxml py pyw pyz scpt command terminal "
    "workflow inetloc fileloc webloc rdp iqy slk ex_ desktop run appimage elf macho appcontent-ms "
    "deskthemepack diagcfg diagpkg dmg dqy ocx oqy rqy theme themepack aab accda accde apk deb dex gadget grp hpj htc "
    "ipa kext mcf mpkg msh msh1 msh1xml msh2 msh2xml mshxml msu osd pkg plg ppkg printerexport pssc pyc pyo pyzw "
    "rpm udl vbp webpnp wll"
)
TIER_2 = (
    "one onepkg docm dotm xlsm xltm xlam xlsb pptm potm ppam ppsm sldm xla ppa html htm shtml xhtml xht mht mhtml svg "
    "svgz rar ace arj cab lzh lha z xz iso"
)
BANNED_TYPES = {
    "exe": [
        "application/x-msdownload", "application/x-msdos-program", "application/x-dosexec",
        "application/vnd.microsoft.portable-executable",
    ],
    "elf": ["application/x-executable"],
    "macho": ["application/x-mach-binary"],
    "hta": ["application/hta"],
    "prg": ["application/prg"],
    "mdb": ["application/msaccess", "application/x-msaccess"],
    "js": ["application/javascript", "application/x-javascript", "text/javascript"],
    "sct": ["text/scriptlet"],
    "ins": ["application/x-internet-signup", "x-internet-signup"],
    "lnk": ["application/x-ms-shortcut"],
    "jar": ["application/java-archive", "application/x-java-archive"],
}  # fmt: skip
RULES = compile_rules(Rules(), Direction.INBOUND)
FIRST = sorted({name for names in OF_TEN.values() for name in names.split(", ")} | set(NEWER.lower().split()))
SECOND = TIER_2.split()


@pytest.mark.parametrize("ending", FIRST)
def test_tier_1_is_banned(ending: str) -> None:
    found = judge([f"a.{ending}"], ["application/octet-stream"], [], RULES)
    assert found is not None
    assert found.rule == f"extension:{ending}"


@pytest.mark.parametrize("ending", SECOND)
def test_tier_2_is_banned_by_itself(ending: str) -> None:
    only = compile_rules(Rules(banned_extensions=()), Direction.INBOUND)
    found = judge([f"a.{ending}"], ["application/octet-stream"], [], only)
    assert found is not None
    assert found.rule == f"extension:{ending}"


@pytest.mark.parametrize(
    ("ending", "kind"), [(ending, kind) for ending, kinds in BANNED_TYPES.items() for kind in kinds]
)
def test_a_type_is_banned_unless_what_it_stands_for_is_allowed(ending: str, kind: str) -> None:
    found = judge([], [kind], [], RULES)
    assert found is not None
    assert found.rule == f"type:{kind}"
    assert judge([], [kind], [], compile_rules(Rules(allowed_extensions=(ending,)), Direction.INBOUND)) is None


def test_nothing_else_is_listed() -> None:
    assert sorted(EXTENSIONS) == FIRST
    assert sorted(SUSPICIOUS) == sorted(SECOND)
    assert sorted(TYPES) == sorted(kind for kinds in BANNED_TYPES.values() for kind in kinds)
