"""Invented words for invented people: what users of a time tracker might write, in several scripts."""

CATEGORIES = ("development", "design", "meeting", "support", "research", "writing", "administration", "learning")
PROJECTS = tuple(f"project-{number:02d}" for number in range(40))
CLIENTS = ("Café Ölmühle", "Nordlicht & Söhne", "Ribeirão Têxtil", "山田商店", "Μύλος", "Žluťoučký kůň", None)
TAGS = ("deep-work", "überstunden", "remote", "billable", "réunion", "кодревью", "計画", "urgent", "pairing", "tests")
MOODS = ("😀", "🙂", "😐", "🙁", "😫")
TIME_ZONES = ("Europe/Berlin", "America/Sao_Paulo", "Asia/Tokyo", "Europe/Athens", "America/New_York", "Etc/UTC")
SOURCES = ("web", "timer", "calendar", "import")
RATES = ("45.00", "60.50", "72.25", "85.00", "99.99", "120.00", "1234567890.123456789")

SENTENCES = (
    "Reviewed the pull request and left a few remarks.",
    "Fixed the login page; the session cookie expired too early.",
    "Besprechung mit dem Team über die nächste Ausbaustufe.",
    "Prepared slides for the quarterly review.",
    "Réécrit la maquette du menu, puis mesuré le temps de chargement.",
    "Migrated the reports to the new data model and compared the totals.",
    "日次レポートを書いた。",
    "Answered support requests, two of them about exports.",
    "Перенёс задачи на следующую неделю.",
    "Read about indexes and tried three variants on a copy of the data.",
    "Planejamento da semana e revisão das metas.",
    "Wrote tests for rounding at the turn of the month.",
    "Pair programming on the calendar view (drag & drop still flickers).",
    "Cleaned the backlog. Closed what nobody has asked for in a year.",
)
