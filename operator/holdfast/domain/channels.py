"""Channels beside mail: which services a policy may have messages sent to, and what its recipients are called."""

SCHEMES = (
    "betterstack",
    "discord",
    "firehydrant",
    "gchat",
    "gotifys",
    "ilert",
    "incidentio",
    "jsons",
    "mmosts",
    "ntfys",
    "opsgenie",
    "pagerduty",
    "pagertree",
    "pover",
    "rockets",
    "signl4",
    "slack",
    "splunk",
    "squadcast",
    "tgram",
    "victorops",
    "webex",
    "workflows",
    "wxteams",
    "zulip",
)
"""Of Apprise's schemes, those that speak HTTPS and nothing else. Others write files, run on the host's bus, or speak in
the clear."""

LIMIT = 8
"""Channels of one policy."""

_PREFIX = "channel:"


def channel(key: str) -> str:
    """The recipient that stands for a key of the Secret: its URL is never shown. No address has a colon."""
    return _PREFIX + key


def is_channel(to: str) -> bool:
    return to.startswith(_PREFIX)
