"""Every metric of the product, in Prometheus' naming; the one home of prometheus-client."""

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest

settled = Counter("sluice_items_settled_total", "Items a stage has finished with.", ["stage", "result"])
"""result: done (nothing follows), passed on, deferred, failed, parked, released."""

in_hand = Gauge("sluice_items_in_hand", "Items a stage is handling now.", ["stage"])

handling_seconds = Histogram(
    "sluice_handling_seconds",
    "Time a stage's handler took for one item.",
    ["stage"],
    buckets=(0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60, 300, 900),
)

accepted = Counter("sluice_messages_accepted_total", "Messages answered 250.", ["origin"])
refused = Counter("sluice_commands_refused_total", "Commands answered 4xx or 5xx at ingress.", ["rule"])
sessions = Gauge("sluice_ingress_sessions", "SMTP sessions open at ingress.")
verdicts = Counter("sluice_verdicts_total", "Messages screened.", ["direction", "action"])
shadows = Counter("sluice_shadow_rules_total", "Messages that a shadow rule would have decided.", ["rule", "action"])
outcomes = Counter("sluice_recipients_total", "Recipients finished by delivery.", ["outcome"])
"""outcome: delivered, deferred, bounced, quarantined."""
refusals = Counter("sluice_refusals_total", "Recipients that an attempt did not deliver to.", ["cause"])
"""cause: as in the reports and in the line `recipient`: mailbox full, spam, rate limited ..."""
tls = Counter("sluice_delivery_tls_total", "Sessions with other hosts, as far as TLS goes.", ["policy", "result"])
"""policy: tlsa, sts, no-policy-found, configured; result: success, or what failed (RFC 8460 section 4.3)."""
signatures = Counter("sluice_delivery_signatures_total", "Messages signed, or not, at an attempt.", ["kind", "result"])
"""kind: dkim (our own mail), arc (strangers' mail that was stripped); result: signed, or why not."""
busy = Counter("sluice_destination_busy_total", "Items sent back because their destination takes no more.", ["why"])
"""why: busy (at its limit), suspended (it does not answer, and is left alone for a while)."""
reports = Counter("sluice_reports_total", "Reports (DSN) generated.", ["kind"])
reloads = Counter("sluice_reloads_total", "Reloads of the configuration.", ["result"])
"""result: done, or refused, when the old one stays in force."""
confirm_seconds = Histogram(
    "sluice_confirm_seconds",
    "Time from a publish to its confirm.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2, 10, 60),
)


def exposition() -> tuple[bytes, str]:
    """Return every metric in Prometheus' text format, and its content type."""
    return generate_latest(), CONTENT_TYPE_LATEST
