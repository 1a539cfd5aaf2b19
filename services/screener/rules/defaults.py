"""What is banned where the configuration says nothing.

Tier 1, banned always and inside archives too: the names that at least four of ten mail systems block by default, and
newer ones that are abused now. Tier 2: what can carry programs but is also sent for good reasons.
"""

_COMMON = """
    ade adp app asx bas bat cab chm cmd com cpl crt csh diagcab dll exe fxp hlp hta inf ins iso isp its jar jnlp js jse
    ksh lib lnk mad maf mag mam maq mar mas mau mav maw mda mdb mde mdt mdw mdz msc msi msp mst ops pcd pif prf prg ps1
    ps1xml ps2 ps2xml psc1 psc2 pst reg scf scr sct shb shs sys url vb vbe vbs vhd vsmacros vsw vxd ws wsc wsf wsh xll
    xnk
"""
_NEWER = """
    aab accda accde apk appcontent-ms appimage appinstaller application appref-ms appx appxbundle cdxml command deb
    deskthemepack desktop dex diagcfg diagpkg dmg dqy ex_ fileloc gadget grp hpj htc img inetloc ipa iqy kext
    library-ms mcf mjs mpkg msh msh1 msh1xml msh2 msh2xml mshxml msix msixbundle msu ocx oqy osd pkg plg ppkg
    printerexport psd1 psm1 pssc py pyc pyo pyw pyz pyzw rdp rpm rqy run scpt search-ms searchconnector-ms
    settingcontent-ms slk terminal theme themepack udl vbp vhdx webloc webpnp website wim wll workflow wsb xbap
"""
_SUSPICIOUS = """
    ace arj cab docm dotm htm html iso lha lzh mht mhtml one onepkg potm ppa ppam ppsm pptm rar shtml sldm svg svgz
    xht xhtml xla xlam xlsb xlsm xltm xz z
"""
_RECOGNISED = "elf macho"
"""Programs that are recognised by content and have no extension of their own."""

EXTENSIONS = frozenset(f"{_COMMON} {_NEWER} {_RECOGNISED}".split())
"""Tier 1."""

SUSPICIOUS = frozenset(_SUSPICIOUS.split())
"""Tier 2."""

TYPES: dict[str, str] = {
    "application/x-msdownload": "exe",
    "application/x-msdos-program": "exe",
    "application/x-dosexec": "exe",
    "application/vnd.microsoft.portable-executable": "exe",
    "application/x-executable": "elf",
    "application/x-mach-binary": "macho",
    "application/hta": "hta",
    "application/prg": "prg",
    "application/msaccess": "mdb",
    "application/x-msaccess": "mdb",
    "application/javascript": "js",
    "application/x-javascript": "js",
    "text/javascript": "js",
    "text/scriptlet": "sct",
    "application/x-internet-signup": "ins",
    "x-internet-signup": "ins",
    "application/x-ms-shortcut": "lnk",
    "application/java-archive": "jar",
    "application/x-java-archive": "jar",
}
"""Banned declared types, and the extension whose permission lifts the ban."""

PAGES = {"text/html": "html", "application/xhtml+xml": "xhtml", "image/svg+xml": "svg"}
"""Declared types of tier 2, for files whose name does not tell, and the extension whose permission lifts the ban."""

NEVER = {
    "message/partial": "pieces of a message cannot be screened one by one",
    "message/external-body": "what it stands for is fetched from elsewhere, unscreened",
}
"""Types that block the whole message in any configuration."""
