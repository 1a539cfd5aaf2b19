"""What providers say when they refuse, by cause: patterns for a reply in lower case without addresses.

The first row that fits decides, so what is more special, or may hold words of another row, stands above it.
"""

from shared.dsn.cause import Cause

_MAILBOX = r"\b(?:mail ?box|inbox|account|user|recipient|address|alias)\b"

WORDINGS: tuple[tuple[Cause, tuple[str, ...]], ...] = (
    (
        Cause.LOOP,
        (
            "too many hops",
            "hop count",
            r"\bloop(?:ing|s)?\b",
            r"received\W{0,3}[^.;]{0,20}headers? exceed",
            "loops back",
        ),
    ),
    (
        Cause.GREYLISTED,
        (
            r"\bgr[ae]y-?\s?list",
            "internal resources? (?:are |is )?temporarily unavailable",
        ),
    ),
    (
        Cause.RELAY_DENIED,
        (
            "relay(?:ing)? (?:access )?(?:is )?(?:denied|prohibited|not (?:permitted|allowed))",
            "(?:unable|not (?:permitted|allowed|authori[sz]ed)) to relay",
            "do(?:es)? not relay",
        ),
    ),
    (
        Cause.TLS_REQUIRED,
        (
            r"\bstarttls\b.*(?:first|required)",
            r"\brequiretls\b",
            r"answered starttls|mta-sts|\bdane\b|\btlsa\b|\bcertificate",
            "insecure connection",
            r"\b(?:tls|ssl|encryption|encrypted)\b[^.;]{0,30}(?:required|mandatory|needed|only)",
            r"\brequires? (?:tls|ssl|encrypt)",
        ),
    ),
    (
        Cause.RATE_LIMITED,
        (
            "rate[- ]?limit",
            "unusual rate",
            "(?:too|very) (?:quickly|fast|frequent)",
            "too much mail",
            "at a rate that",
            r"too many (?!errors in)(?!invalid char)\w+",
            "excessive",
            "(?:unexpected|high) volume",
            "throttl",
            "server busy",
            r"\bsystem busy",
            r"\[tss?\d\d\]",
            "max(?:imum)? (?:number of )?messages? per connection",
            "thread limit",
            "(?:sending|relay|daily|hourly|connection|recipients?|message count) (?:limit|quota)",
            "(?:daily|hourly) (?:message|mail|sending) (?:limit|quota)",
            "frequency limited",
            "user complaints",
            "received too (?:many|much)",
            "rate of messages",
            "slow ?down",
        ),
    ),
    (
        Cause.UNAUTHENTICATED,
        (
            r"\b(?:spf|dkim|dmarc|sender id|sender policy framework)\b",
            "unauthenticated (?:e-?mail|message|sender)",
            r"fail\w* authentication (?:check|require)",
            "required authentication level",
        ),
    ),
    (
        Cause.SPAM,
        (r"\b(?:dbl|surbl|uribl)\b",),
    ),
    (
        Cause.BLOCKED,
        (
            r"(?:block|black|deny)[- ]?list(?!.*\bsender)",
            "blocked using",
            "reputation",
            "banned send",
            "spamhaus",
            "spamcop",
            "barracudacentral",
            r"\bsorbs\b",
            "uceprotect",
            r"\b(?:dns|r)bl\b",
            r"\blisted (?:at|on|in|by)\b",
            "client host",
            "reverse (?:dns|host|look)",
            r"\bptr\b",
            r"\brdns\b",
            r"\bfcrdns\b",
            r"\b(?:helo|ehlo)\b[^:;]{0,40}(?:reject|invalid|resolv|denied|refus)",
            r"(?:invalid|bad) (?:helo|ehlo)\b",
            "no smtp service",
            "weren't sent",
            r"\b(?:your |sending )?ip\b[^;]{0,60}(?:block|bann|reject|denied|refused|not (?:allow|accept|in white))",
            "not accepted from this ip",
            "^5.*connection denied",
            "ask your postmaster for help",
            r"mail refused - \d",
            r"\bhl:i(?:hu|pb)\b",
            r"(?:mail|connections?|messages?) from \[?\d[\d.]+\]?[^.;]{0,40}(?:refused|rejected|block|not)",
        ),
    ),
    (
        Cause.SPAM,
        (
            r"\bspam\b",
            r"\bspam[- ]",
            "unsolicited",
            r"\bdt:spm\b",
            "bulk mail",
            "junk",
            r"\bsuspicious",
        ),
    ),
    (
        Cause.FORBIDDEN_CONTENT,
        (
            r"\bvirus",
            "malware",
            "infected",
            "phish",
            "potential security issue",
            "content (?:restrictions|denied)",
            r"\bmalicious",
            r"\b(?:attachments?|file ?(?:type|name|extension)|executable)\b",
        ),
    ),
    (
        Cause.TOO_LARGE,
        (
            r"(?:message|mail|content|header|size)[^.;]{0,40}too (?:large|big|long)",
            r"(?:message|mail(?! ?box)|content|header|size)[^.;]{0,40}exceed\w*[^.;]{0,30}(?:size|limit|max)",
            "(?:size|length) (?:exceed|limit)",
            r"exceed\w* [^.;]{0,30}(?:size|message) (?:size )?limit",
            "sizelimit",
            "too (?:large|big)",
        ),
    ),
    (
        Cause.MAILBOX_FULL,
        (
            "over[- ]?quota",
            "quota (?:is )?(?:limit )?exceeded",
            r"exceed\w* (?:\w+ )?(?:storage|quota)",
            r"mail ?box\w*\W+(?:is )?full",
            r"(?:mail ?box|inbox|account|storage|user|recipient)\b[^.;]{0,40}(?:\bfull\b|quota)",
            r"(?:mail ?box|inbox|account|storage)\b[^.;]{0,40}(?:out of|not enough) (?:space|storage)",
            "out of storage",
            "insufficient (?:disk|mailbox) (?:space|storage)",
            "(?:mailbox|storage) limit",
        ),
    ),
    (
        Cause.SENDER_REFUSED,
        (
            r"\bsender\b[^.;]{0,50}(?:reject|block|unknown|invalid|refused|denied|verif)",
            r"\bsender\b[^.;]{0,50}not (?:found|exist|accept|allow|permit|authori)",
            "sender[^.;]{0,40}does(?: not|n't) (?:exist|resolve)",
            "(?:invalid|unknown|bad|forged) sender",
            "return address",
            "domain of sender",
            "sender domain",
            "blocked sender",
        ),
    ),
    (
        Cause.NO_DOMAIN,
        (
            r"\bnull mx\b",
            "nxdomain",
            r"\bdomain\b(?: name)?[^.;]{0,30}(?:not (?:found|exist)|does(?: not|n't) (?:exist|accept))",
            "host(?: or domain)?(?: name)? not found",
            "no such domain",
            "bad destination (?:system|host)",
        ),
    ),
    (
        Cause.INACTIVE_MAILBOX,
        (
            _MAILBOX
            + r"[^.;]{0,60}(?:disabled|inactive|suspended|deactivated|locked|expired|no longer|closed|discontinued)",
            "inactive (?:user|account|mailbox)",
            "no longer (?:in use|valid|available|active|works|with)",
        ),
    ),
    (
        Cause.UNKNOWN_MAILBOX,
        (
            r"(?:unknown|no such|invalid|bad|non-?existent) (?:\w+ )?(?:user|recipient|mailbox|address|person|alias)",
            r"unknown (?:local[- ]part|account|addressee)",
            "undeliverable address",
            r"^5.*\baddress rejected\.?$",
            _MAILBOX
            + r"[^;]{0,60}(?:\bunknown|not? found|does(?: not|n't) exist|invalid|not valid|notfound|not listed)",
            "unrouteable",
            "nosuchuser",
            "recipnotfound",
            "recipientnotfound",
            "no mailbox",
            "doesn't have an? ",
            "is(?: not|n't) a valid",
            "not a (?:known|valid) (?:user|mailbox)",
            "^5.*mailbox unavailable",
            "^5.*recipient address rejected: access denied",
        ),
    ),
    (
        Cause.UNSUPPORTED,
        (
            "smtputf8",
            "8bitmime",
            "non-ascii",
            r"\bbare (?:lf|cr|line)",
            "line (?:is )?too long",
            r"rfc ?-?[258]\d?[23]2\d",
            "syntax error",
            "malformed",
            "not rfc",
        ),
    ),
    (
        Cause.POLICY,
        (
            r"\bpolic(?:y|ies)\b",
            "administrative(?:ly)? prohibit",
            "prohibition",
        ),
    ),
)
